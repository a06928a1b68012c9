"""The READMEs of the examples: their commands are ones that the tool takes, and their files are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from edgesparse.cli import cli

ROOT = Path(__file__).parents[2]
NAMES = ("digits", "mnist", "imu", "anomaly")


def commands(name: str) -> list[list[str]]:
    """The indented blocks of a README, one command a line, as words."""
    text = (ROOT / "examples" / name / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^    (\S.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("name", NAMES)
def test_convert_takes_the_options_that_are_shown(name: str) -> None:
    shown = [words for words in commands(name) if words[:2] == ["edgesparse", "convert"]]
    assert shown
    for words in shown:
        command = cli.commands["convert"]
        parsed = command.make_context("convert", [word.replace("examples/", f"{ROOT}/examples/") for word in words[2:]])
        assert f"examples/{name}/{name}.h5" in " ".join(words)
        assert parsed.params["data"] == f"build/{name}.npz"


@pytest.mark.parametrize("name", NAMES)
def test_scripts_that_are_shown_exist(name: str) -> None:
    scripts = [words[1] for words in commands(name) if words[0] == "python" and words[1] != "-m"]
    assert f"examples/{name}/data.py" in scripts
    for script in scripts:
        assert (ROOT / script).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_models_are_small_and_plots_are_there(name: str) -> None:
    folder = ROOT / "examples" / name
    assert (folder / f"{name}.h5").stat().st_size < 300_000
    assert (folder / f"{name}.svg").stat().st_size < 100_000
    assert f"{name}.svg" in (folder / "README.md").read_text(encoding="utf-8")
