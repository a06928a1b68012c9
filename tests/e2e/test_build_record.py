"""A Build: made once per twin, stored beside the projects, and what is read back is what was built."""

from __future__ import annotations

import importlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.commands.build import build
from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware
from edgesparse.errors import InputError, ResourceError
from edgesparse.firmware.build import BUILD_VERSION, Build, read_twins
from edgesparse.missing import Missing
from edgesparse.record import to_json
from tests.support.small_networks import conv_network

process = importlib.import_module("edgesparse.oracle.process")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("build")
    (place / "net.tflite").write_bytes(conv_network())
    firmware(place / "net.tflite", out=place / "out", vectors=3)
    return place / "out"


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "out")
    return tmp_path / "out"


def as_data(twin: Build) -> tuple[Any, list[bytes]]:
    arrays: dict[str, Any] = {}
    text = to_json((twin.plan, twin.inputs, twin.reference, twin.layer_names, twin.runtime, twin.weights), arrays)
    return text, [array.tobytes() for array in arrays.values()]


def test_what_is_read_is_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Build] = []
    projects = importlib.import_module("edgesparse.measure.projects")
    write = projects.write_build
    monkeypatch.setattr(projects, "write_build", lambda twin, folder: (made.append(twin), write(twin, folder))[1])
    (tmp_path / "net.tflite").write_bytes(conv_network())
    firmware(tmp_path / "net.tflite", out=tmp_path / "out", vectors=2, weights="sram", board="nucleo-l4r5zi")
    for before, after in zip(made, read_twins(tmp_path / "out"), strict=True):
        assert as_data(before) == as_data(after)
        assert before.board == after.board
        assert before.network.data == after.network.data


def test_one_lowering_one_plan_and_one_process_per_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    plan = importlib.import_module("edgesparse.firmware.plan")
    folder_module = importlib.import_module("edgesparse.commands.folder")

    def counted(name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(plan, "lower", counted("lower", plan.lower))
    monkeypatch.setattr(folder_module, "lower", counted("lower", folder_module.lower))
    monkeypatch.setattr(plan, "plan_memory", counted("plan_memory", plan.plan_memory))
    start = process._Process.__init__

    def started(self: Any, *arguments: Any) -> None:
        counts[f"process of {arguments[0]}"] += 1
        start(self, *arguments)

    monkeypatch.setattr(process._Process, "__init__", started)
    (tmp_path / "net.tflite").write_bytes(conv_network())
    firmware(tmp_path / "net.tflite", out=tmp_path / "out", vectors=2)
    assert counts["lower"] == counts["plan_memory"] == 2
    assert [counts[f"process of {name}"] for name in process.MODULES] == [1, 1, 1]
    counts.clear()
    emulate(tmp_path / "out")
    build(tmp_path / "out")
    assert not counts, "what follows reads what was built"


def test_interpreters_end_with_their_block() -> None:
    with process.interpreters():
        code, _ = process.run("tflite-micro", conv_network(), np.zeros((1, 8, 8, 4), np.int8))
        (worker,) = process._shared.get().processes.values()
        assert code == 0
        assert worker._process.poll() is None
    assert worker._process.poll() is not None


def test_an_interpreter_that_dies_is_named_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = np.zeros((1, 8, 8, 4), np.int8)
    with process.interpreters():
        process.run("tflite-micro", conv_network(), inputs)
        (worker,) = process._shared.get().processes.values()
        worker._process.kill()
        worker._process.wait()
        with pytest.raises(ResourceError, match="tflite-micro was killed, as the system does where memory runs out"):
            process.run("tflite-micro", conv_network(), inputs + 1)
        assert process.run("tflite-micro", conv_network(), inputs + 1)[0] == 0


def test_an_interpreter_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_TIMEOUT_S", 0)
    code, reason = process.run("tflite-micro", conv_network(), np.zeros((1, 8, 8, 4), np.int8))
    assert (code, reason) == (process.REFUSED, "no answer within 0 s")


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_folder_of_another_version_is_refused_with_one_line(copied: Path) -> None:
    path = copied / "plan" / "firmware.json"
    change(path, version=BUILD_VERSION - 1)
    for command in (build, emulate):
        with pytest.raises(InputError) as caught:
            command(copied)
        assert str(caught.value) == (
            f"{path}: is of version {BUILD_VERSION - 1}, this edgesparse reads {BUILD_VERSION}; run edgesparse convert "
            "again"
        )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda plan: (plan / "dense.json").unlink(), "dense.json: no such file"),
        (lambda plan: (plan / "dense.npz").unlink(), "dense.npz: no such file"),
        (lambda plan: (plan / "dense.npz").write_bytes(b"PK"), "dense.json: "),
        (lambda plan: (plan / "dense.json").write_text("[" * 50_000), "dense.json: "),
        (lambda plan: (plan / "dense.json").write_text("[]"), "is of version None"),
        (lambda plan: change(plan / "dense.json", ops=["a"]), "is of a model with 1 ops"),
        (lambda plan: change(plan / "dense.json", inputs={"array": "array_999"}), "inputs: expected an array"),
        (lambda plan: change(plan / "dense.json", model_sha256="0"), "is of another model than"),
        (lambda plan: change(plan / "dense.json", board="nowhere"), "board 'nowhere' is not known"),
    ],
)
def test_a_damaged_record_is_refused_with_one_line(copied: Path, spoil: Any, message: str) -> None:
    spoil(copied / "plan")
    with pytest.raises(InputError) as caught:
        emulate(copied)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_with_other_inputs_is_not_compared(copied: Path) -> None:
    source = copied / "firmware" / "model" / "vectors.c"
    text = source.read_text()
    start = text.index("    {\n") + len("    {\n")
    first = text[start:].split(",", 1)[0].strip()
    source.write_text(text[:start] + text[start:].replace(first, str((int(first) + 1) % 256), 1))
    with pytest.raises(InputError, match="its test inputs are not those that the reference ran"):
        emulate(copied)


def test_a_build_with_another_compiler_says_nothing_of_the_one_before(copied: Path) -> None:
    report = build(copied, toolchain="zig")
    stale = Missing("built again since; run edgesparse emulate")
    assert report.environment.toolchain.startswith("zig")
    for layer in report.layers:
        figures = (layer.instructions, layer.cycles, layer.dense_instructions, layer.dense_cycles)
        assert figures == (stale,) * 4
    assert report.profile is None
    assert report.sparse.instructions == report.ratio.instructions == report.bit_exact == stale


def test_the_arena_is_that_of_the_image_whatever_a_planner_would_say_today(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied / "plan" / "firmware.json"
    stored = json.loads(path.read_text())
    planned = stored["plan"]["memory"]["arena_bytes"]
    plan = importlib.import_module("edgesparse.firmware.plan")
    monkeypatch.setattr(plan, "plan_memory", None)
    assert build(copied).sparse.arena_bytes == planned


def test_a_twin_that_is_the_same_project_is_not_built_and_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "dense.tflite"
    model.write_bytes(conv_network(density=1.0))
    make = importlib.import_module("edgesparse.toolchain.make")
    started: list[str] = []
    real = make.processes.run

    def run(command: Any, *arguments: Any, **options: Any) -> Any:
        if Path(str(command[0])).name == "make":
            started.append(str(options["cwd"]))
        return real(command, *arguments, **options)

    monkeypatch.setattr(make.processes, "run", run)
    report = firmware(model, out=tmp_path / "out", vectors=2)
    assert {Path(folder).name for folder in started} == {"firmware"}
    assert report.sparse == report.dense
    images = [(tmp_path / "out" / name / "build").rglob("firmware.elf") for name in ("firmware", "dense")]
    first, second = (next(iter(found)).read_bytes() for found in images)
    assert first == second
