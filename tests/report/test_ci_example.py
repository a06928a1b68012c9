"""examples/ci: its jobs are well-formed, and its commands run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ci"


def test_both_jobs_run_the_script_and_keep_its_junit_files() -> None:
    github = yaml.safe_load((EXAMPLE / "github.yml").read_text())
    steps = github["jobs"]["check"]["steps"]
    (step,) = (step for step in steps if "check.sh" in step.get("run", ""))
    assert step["run"] == "sh ci/check.sh"
    (upload,) = (s for s in steps if s.get("uses", "").startswith("actions/upload-artifact"))
    assert upload["if"] == "always()"
    assert f"{step['env']['OUT']}/*.xml" in upload["with"]["path"]
    gitlab = yaml.safe_load((EXAMPLE / "gitlab.yml").read_text())["firmware"]
    assert gitlab["script"] == ["sh ci/check.sh"]
    assert gitlab["artifacts"]["reports"]["junit"] == f"{gitlab['variables']['OUT']}/*.xml"


@pytest.mark.slow
def test_the_commands_store_a_report_and_then_guard_it(tmp_path: Path) -> None:
    ci = tmp_path / "ci"
    shutil.copytree(EXAMPLE, ci, ignore=shutil.ignore_patterns("samples.npz", "stored.json"))
    subprocess.run([sys.executable, ROOT / "examples/digits/data.py", ci / "samples.npz"], check=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    command = tools / "edgesparse"
    code = "from edgesparse.cli import start; start()"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{code}" "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MODEL": str(ROOT / "examples/digits/digits.h5"),
    }

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "ci/check.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    first = check()
    assert first.returncode == 0, first.stderr
    assert "commit it" in first.stderr
    second = check()
    assert second.returncode == 0, second.stderr
    assert "not judged" in second.stdout, "the table of the comparison"

    stored = json.loads((ci / "stored.json").read_text())
    stored["sparse"]["instructions"] //= 2
    (ci / "stored.json").write_text(json.dumps(stored))
    worse = check()
    assert worse.returncode == 3
    assert "regression of instructions" in worse.stderr
    out = tmp_path / "build" / "ci"
    failures = {
        name: ElementTree.parse(out / name).getroot()[0].attrib["failures"] for name in ("budgets.xml", "compare.xml")
    }
    assert failures == {"budgets.xml": "0", "compare.xml": "1"}
    assert (out / "model" / "report.html").is_file()
