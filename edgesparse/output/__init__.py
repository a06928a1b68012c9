"""Output folders: they appear whole or not at all, one command at a time writes them, and nobody's files are lost."""

from edgesparse.output.lock import lock
from edgesparse.output.manifest import FILES_NAME
from edgesparse.output.place import Claim, check_replaceable, claim, clear_up, in_place, output_folder
from edgesparse.output.write import write_json, write_text

__all__ = [
    "EXPORT_NAME",
    "FILES_NAME",
    "HTML_NAME",
    "REPORT_NAME",
    "Claim",
    "check_replaceable",
    "claim",
    "clear_up",
    "in_place",
    "lock",
    "output_folder",
    "write_json",
    "write_text",
]

REPORT_NAME = "report.json"
HTML_NAME = "report.html"
EXPORT_NAME = "edgesparse.json"
"""What an exported library has in the place of a report: its origin and figures."""
