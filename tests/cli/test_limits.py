"""Budgets, `compare` and `report` on the command line: exit 3 comes last, when everything has been written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.test_cli import assert_refused, run
from tests.support.small_networks import conv_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.tflite"
    path.write_bytes(conv_network())
    return path


def read(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return value


def errors(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("edgesparse: error: ")]


def test_exceeded_budgets_are_exit_3_after_everything_is_written(tmp_path: Path, network: Path) -> None:
    budget = "flash=1K,ram=1M,instructions=10"
    done = run("firmware", network, "--budget", budget, "--junit", "b.xml", "--json", "--vectors", 1, folder=tmp_path)
    out = tmp_path / "network.edgesparse"
    assert done.returncode == 3
    report = read(out)
    assert json.loads(done.stdout) == report, "stdout is the report all the same"
    assert [(row["name"], row["ok"]) for row in report["budgets"]] == [
        ("flash", False),
        ("ram", True),
        ("instructions", False),
    ]
    assert len(errors(done.stderr)) == 2
    assert f"budget flash exceeded: {report['sparse']['flash_bytes']:,} bytes" in errors(done.stderr)[0]
    assert "budget instructions exceeded" in errors(done.stderr)[1]
    assert (out / "report.html").is_file()
    assert ElementTree.parse(tmp_path / "b.xml").getroot()[0].attrib["failures"] == "2"

    done = run("build", out, folder=tmp_path)
    assert done.returncode == 3
    assert len(errors(done.stderr)) == 1, "build judges what it measures: flash"
    rows = {row["name"]: row for row in read(out)["budgets"]}
    assert rows["instructions"]["actual"] == {"unavailable": "built again since; run edgesparse emulate"}

    done = run("emulate", out, folder=tmp_path)
    assert done.returncode == 3, "the budget is remembered"
    assert "2 of 3 budgets not kept" in done.stdout.splitlines()[0]
    done = run("emulate", out, "--budget", "flash=1M", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read(out)["settings"]["budget"] == "flash=1M"
    done = run("emulate", out, "--budget", "speed=1", folder=tmp_path)
    assert done.returncode == 2
    assert read(out)["settings"]["budget"] == "flash=1M"


def test_a_budget_may_stand_in_the_configuration(tmp_path: Path, network: Path) -> None:
    (tmp_path / "edgesparse.toml").write_text('budget = "flash=1K"\nvectors = 1\n')
    done = run("firmware", network, "--config", "edgesparse.toml", folder=tmp_path)
    assert done.returncode == 3
    (tmp_path / "edgesparse.toml").write_text('budget = "flash=1Q"\n')
    done = run("firmware", network, "--config", "edgesparse.toml", "-o", "other", folder=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "other").exists()


def test_compare_is_exit_3_on_a_regression_and_lists_all(tmp_path: Path, network: Path) -> None:
    run("firmware", network, "-o", "new", "--vectors", 1, folder=tmp_path)
    same = run("compare", "new", "new/report.json", "--tolerance", "0%", folder=tmp_path)
    assert same.returncode == 0, same.stderr
    assert "REGRESSION" not in same.stdout

    old = read(tmp_path / "new")
    old["sparse"]["flash_bytes"] //= 2
    old["sparse"]["ram_bytes"] //= 2
    (tmp_path / "old.json").write_text(json.dumps(old))
    done = run("compare", "old.json", "new", "--junit", "c.xml", folder=tmp_path)
    assert done.returncode == 3
    assert [line.split()[4] for line in errors(done.stderr)] == ["flash:", "RAM:"]
    assert done.stdout.count("REGRESSION") == 2
    assert ElementTree.parse(tmp_path / "c.xml").getroot()[0].attrib["failures"] == "2"
    assert run("compare", "old.json", "new", "--tolerance", "200%", folder=tmp_path).returncode == 0
    done = run("compare", "old.json", "new", "--json", folder=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stdout)["ok"] is False

    old["board"]["name"] = "mps2-an500"
    (tmp_path / "old.json").write_text(json.dumps(old))
    done = run("compare", "old.json", "new", folder=tmp_path)
    assert done.returncode == 2
    assert "--any-board" in done.stderr
    done = run("compare", "old.json", "new", "--tolerance", "1", folder=tmp_path)
    assert done.returncode == 2


def test_report_writes_the_page_again_and_prints_the_summary(tmp_path: Path, network: Path) -> None:
    first = run("firmware", network, "-o", "out", "--vectors", 1, folder=tmp_path)
    page = (tmp_path / "out" / "report.html").read_bytes()
    (tmp_path / "out" / "report.html").write_text("old")
    again = run("report", "out", folder=tmp_path)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert (tmp_path / "out" / "report.html").read_bytes() == page
    assert json.loads(run("report", "out", "--json", folder=tmp_path).stdout) == read(tmp_path / "out")
    (tmp_path / "out" / "report.json").write_text('{"schema": 1, "edgesparse": "x"}')
    done = run("report", "out", folder=tmp_path)
    assert done.returncode == 2
    assert "damaged" in done.stderr
    done = run("compare", "out", "out", folder=tmp_path)
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert_refused(run("report", "nowhere", folder=tmp_path), tmp_path, "report.json")
