"""The architecture: who may import whom, and who may import TensorFlow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgesparse
from tests.support.small_networks import conv_network

PACKAGE = Path(edgesparse.__file__).parent

LAYERS: list[list[str]] = [
    ["errors", "limits", "files", "missing", "record", "result", "budgets", "graph", "fixedpoint", "settings"],
    ["variants", "arch", "boards", "system", "arrays", "progress", "sample_arrays", "shards", "data", "output"],
    ["tflite", "analysis", "packing", "lowering", "oracle", "network"],
    ["keras_model", "layers", "training", "sparsify", "quantize"],
    ["toolchain", "emulate", "flash", "tflm", "firmware", "doctor"],
    ["report", "mobile", "export", "measure", "commands"],
    ["cli"],
]
"""From left to right: a module imports only from its own layer's earlier modules and from layers before."""

TENSORFLOW = {"tensorflow", "tf_keras", "tensorflow_model_optimization", "keras"}
MAY_USE_TENSORFLOW = {"keras_model", "training", "sparsify", "quantize"}

ORDER = [name for layer in LAYERS for name in layer]


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "edgesparse" else {module}
    return found


def sources() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if "firmware_templates" not in p.parts]


def test_every_module_has_its_layer() -> None:
    known = {*ORDER, "__init__"}
    assert {top(path) for path in sources()} <= known


def test_imports_obey_the_layers() -> None:
    wrong = []
    for path in sources():
        own = top(path)
        if own == "__init__":
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "edgesparse" or len(parts) < 2 or parts[1] in ("__version__", own):
                continue
            if ORDER.index(parts[1]) >= ORDER.index(own):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


SCREEN_LINES = 60
"""What the top of the code is read in: the commands, and what they measure."""

READS_TEXT = {
    *("cli.py", "settings.py", "boards.py", "arch/arm_m/timing/model.py"),  # options and TOML
    "keras_model",  # configurations of layers
}
"""Who may hold JSON or TOML that nobody has checked yet."""


@pytest.mark.parametrize("room", ["commands", "measure"])
def test_a_function_at_the_top_fits_on_a_screen(room: str) -> None:
    long = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for path in sorted((PACKAGE / room).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= SCREEN_LINES
    ]
    assert not long


def test_results_are_no_dictionaries() -> None:
    wrong = [
        str(path.relative_to(PACKAGE))
        for path in sources()
        if "dict[str, Any]" in path.read_text()
        and not any(str(path.relative_to(PACKAGE)).startswith(place) for place in READS_TEXT)
    ]
    assert not wrong


def test_only_four_packages_import_tensorflow() -> None:
    users = {top(path) for path in sources() if {n.split(".")[0] for n in imports(path)} & TENSORFLOW}
    assert users <= MAY_USE_TENSORFLOW


def test_no_other_command_loads_tensorflow() -> None:
    code = (
        "import sys, edgesparse.cli, edgesparse.commands.convert, edgesparse.commands.emulate\n"
        f"loaded = {TENSORFLOW!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_starts_without_numpy() -> None:
    code = "import sys, edgesparse.cli\nassert 'numpy' not in sys.modules and 'rich' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_inspect_of_a_tflite_works_where_tensorflow_is_not_installed(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.split('.')[0] in {TENSORFLOW!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.argv = ['edgesparse', 'inspect', {str(model)!r}]\n"
        "from edgesparse.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "FULLY_CONNECTED" in done.stdout
