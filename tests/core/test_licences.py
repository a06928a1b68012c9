"""What becomes part of a product says under which terms."""

from __future__ import annotations

from pathlib import Path

from edgesparse.boards import templates_folder
from edgesparse.firmware import LICENCES
from edgesparse.tflite import read_graph
from tests.core.test_generated_c import ROOT, project
from tests.support.small_networks import conv_network

SOURCES = {".c", ".h", ".cc", ".S", ".ino", ".ld", ".mk", ".sh", ".cmake", ".conf", ".yaml", ".yml"}
SOURCE_NAMES = {"Makefile", "CMakeLists.txt", "sample_CMakeLists.txt", "Kconfig"}
LINES = ("/* SPDX-License-Identifier: Apache-2.0 */", "# SPDX-License-Identifier: Apache-2.0")


def unlicensed(folder: Path) -> list[str]:
    """Sources in a folder whose first line, that of Jinja aside, is not the licence."""
    found = []
    for path in folder.rglob("*"):
        name = path.name.removesuffix(".j2")
        if path.is_file() and (Path(name).suffix in SOURCES or name in SOURCE_NAMES):
            lines = (line for line in path.read_text().splitlines() if not line.startswith("{%"))
            if next(lines, "") not in LINES:
                found.append(str(path.relative_to(folder)))
    return found


def test_every_template_begins_with_its_licence() -> None:
    assert not unlicensed(templates_folder())


def test_a_project_has_the_licence_and_every_file_names_it(tmp_path: Path) -> None:
    project(tmp_path / "firmware", read_graph(conv_network()), "net")
    assert not unlicensed(tmp_path / "firmware")
    assert (tmp_path / "firmware" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    text = (tmp_path / "firmware" / "LICENSING.md").read_text()
    assert "What was generated is yours" in text
    files = {path for path in (tmp_path / "firmware").rglob("*") if path.is_file()}
    named = {path for path in files if path.suffix in SOURCES or path.name in SOURCE_NAMES}
    assert {path.name for path in files - named} == set(LICENCES), "no file without a word on its terms"


def test_a_file_without_a_licence_is_found(tmp_path: Path) -> None:
    (tmp_path / "kernel.c").write_text("/* A kernel. */\n")
    assert unlicensed(tmp_path) == ["kernel.c"]
