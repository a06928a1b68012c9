"""Static analysis of the C that becomes firmware: nothing found that is not suppressed with a reason.

Kernels, runtime and a generated project, by gcc -fanalyzer, clang-tidy (.clang-tidy says what it checks) and cppcheck
(cppcheck_suppressions.txt). Each tool is also given a fault, which it must find.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from edgesparse.boards import templates_folder
from edgesparse.tflite import read_graph
from tests.conftest import skip_or_fail
from tests.core.test_generated_c import project
from tests.support.c_style import WARNINGS
from tests.support.small_networks import conv_network

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = templates_folder()
SUPPRESSIONS = Path(__file__).with_name("cppcheck_suppressions.txt")
TARGET = ("-mcpu=cortex-m4", "-mthumb", "-std=c11", "-O2", "-ffreestanding")
# Enough for all that it has found so far, in a third of the time that the default takes.
TIDY_TARGET = ("-target", "arm-none-eabi", *TARGET, "-Xclang", "-analyzer-config", "-Xclang", "max-nodes=60000")
VARYING = {"2.4", "2.7", "8.6", "11.8", "17.7"}
"""Rules of which cppcheck 2.10's addon finds violations of the same files in some runs and not in others."""
T = TypeVar("T")
FAULT = """
int first(const int *from, int count);
int first(const int *from, int count) {
    int *none = 0;
    if (count == 0) {
        return *none;
    }
    return from[0];
}
"""


@pytest.fixture(scope="module")
def includes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for the headers of a project, which lies where the first one says."""
    folder = tmp_path_factory.mktemp("analysis") / "firmware"
    project(folder, read_graph(conv_network()), "net")
    places = [folder, folder / "model", folder / "runtime", TEMPLATES / "kernels" / "include"]
    return [f"-I{place}" for place in places]


@pytest.fixture(scope="module")
def sources(includes: list[str]) -> list[Path]:
    """All kernels, what boards start with, and the rest of the project."""
    folder = Path(includes[0].removeprefix("-I"))
    found = [*folder.glob("*.c"), *(folder / "model").glob("*.c"), *(folder / "runtime").glob("*.c")]
    found += [*TEMPLATES.glob("kernels/*/*.c"), *TEMPLATES.glob("boards/*/*.c")]
    assert len(found) > 60
    return sorted(found)


def fanalyzer(sources: Sequence[Path], includes: list[str]) -> str:
    command = ["arm-none-eabi-gcc", *TARGET, *WARNINGS, "-fanalyzer", *includes, "-c", "-o", "/dev/null"]
    return _each(sources, lambda source: [*command, source])


def clang_tidy(sources: Sequence[Path], includes: list[str]) -> str:
    command = ["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}"]
    return _each(sources, lambda source: [*command, source, "--", *TIDY_TARGET, *includes])


def cppcheck(sources: Sequence[Path], includes: list[str]) -> str:
    command = ["cppcheck", "--quiet", "--std=c11", "--platform=unix32", "--error-exitcode=1", *includes]
    command += ["--enable=warning,style,performance,portability", f"--suppressions-list={SUPPRESSIONS}"]
    command += ["-DINT_MAX=2147483647", "--template={file}:{line}: {id}: {message}"]
    branches = ["-D__ARM_FEATURE_DSP=1", "-U__ARM_FEATURE_DSP"]
    return _each(branches, lambda branch: [*command, branch, *sources])


def _each(parts: Sequence[T], command: Callable[[T], list[object]]) -> str:
    """Run the command of each part, two at a time; what those said that failed."""

    def run(part: T) -> str:
        done = subprocess.run([str(word) for word in command(part)], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}\n"

    with ThreadPoolExecutor(2) as pool:
        return "".join(pool.map(run, parts))


Analyzer = Callable[[Sequence[Path], list[str]], str]
TOOLS: dict[str, Analyzer] = {"arm-none-eabi-gcc": fanalyzer, "clang-tidy": clang_tidy, "cppcheck": cppcheck}


@pytest.fixture(params=TOOLS)
def analyzer(request: pytest.FixtureRequest) -> Analyzer:
    if shutil.which(request.param) is None:
        skip_or_fail(f"{request.param} is not installed")
    return TOOLS[request.param]


@pytest.mark.slow
def test_nothing_is_found(analyzer: Analyzer, sources: list[Path], includes: list[str]) -> None:
    assert analyzer(sources, includes) == ""


@pytest.mark.slow
def test_the_document_lists_every_rule_that_is_deviated_from(sources: list[Path], includes: list[str]) -> None:
    if shutil.which("cppcheck") is None:
        skip_or_fail("cppcheck is not installed")
    # Without inline assembly, which the addon cannot read; model's tables would take minutes, and are only numbers.
    parts = [path for path in sources if "vectors" not in path.name and not path.name.endswith("_weights.c")]
    command = ["cppcheck", "--quiet", "--std=c11", "--platform=unix32", "--addon=misra", "--template={id}", *includes]
    command += ["-DINT_MAX=2147483647", "-DUINTPTR_MAX=0xffffffff", "-U__ARM_FEATURE_DSP", "--error-exitcode=1"]
    found = set(re.findall(r"misra-c2012-([\d.]+)", _each([parts[::2], parts[1::2]], lambda half: [*command, *half])))
    document = (ROOT / "docs" / "misra.md").read_text()
    (table,) = re.findall(r"^## Deviations$.*?^\| --- .*?\n(.*?)^$", document, re.MULTILINE | re.DOTALL)
    listed = {rule for row in table.splitlines() for rule in row.split("|")[1].replace(",", " ").split()}
    assert found <= listed
    assert found | VARYING == listed


def test_a_fault_is_found(analyzer: Analyzer, tmp_path: Path) -> None:
    (tmp_path / "fault.c").write_text(FAULT)
    assert "fault.c:6" in analyzer([tmp_path / "fault.c"], [])


def test_every_suppression_has_its_reason_above() -> None:
    blocks = SUPPRESSIONS.read_text().strip().split("\n\n")[1:]
    assert len(blocks) >= 3
    assert all(block.startswith("# ") and block.count("\n") >= 1 for block in blocks)
