"""Samples streamed into the firmware as built."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from edgesparse.boards import Board
from edgesparse.emulate import EMULATORS, Unicorn
from edgesparse.errors import CrashError
from edgesparse.measure.samples import run_samples
from edgesparse.toolchain import Elf
from tests.device.test_emulate import INPUTS, LENGTH, expected

BuildToy = Callable[..., Elf]


def samples(count: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, LENGTH), dtype=np.uint8)


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_every_sample_gives_its_own_output_in_its_place(
    emulator: str, build_toy: BuildToy, board: Board, request: pytest.FixtureRequest
) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    inputs = samples(7)
    run = run_samples(build_toy(), board, emulator, inputs, timeout_s=60, processes=2)
    assert [bytes(output) for output in run.outputs] == [expected(row.tolist()) for row in inputs]
    assert len(run.instructions) == 7


def test_unicorn_and_qemu_agree_on_samples(build_toy: BuildToy, board: Board, qemu: str) -> None:
    elf, inputs = build_toy(), samples(3)
    ours, theirs = (run_samples(elf, board, name, inputs, timeout_s=60, processes=1) for name in ("unicorn", "qemu"))
    assert np.array_equal(ours.outputs, theirs.outputs)
    assert (np.abs(ours.instructions - theirs.instructions) <= np.maximum(80, ours.instructions // 1000)).all()
    assert ours.cycles is not None
    assert theirs.cycles is None


def test_streamed_inputs_cost_what_the_same_test_vectors_cost(build_toy: BuildToy, board: Board) -> None:
    elf = build_toy()
    padded = np.array([row + [0] * (LENGTH - len(row)) for row in INPUTS], np.uint8)
    built_in = Unicorn().run(elf, board, timeout_s=60)
    run = run_samples(elf, board, "unicorn", padded, timeout_s=60, processes=2)
    assert [bytes(output) for output in run.outputs] == list(built_in.outputs)
    assert tuple(run.instructions) == built_in.instructions
    assert run.cycles is not None
    assert built_in.cycles is not None
    assert tuple(run.cycles) == built_in.cycles


def test_long_inferences_are_shared_out_in_smaller_parts(build_toy: BuildToy, board: Board) -> None:
    elf, inputs, said = build_toy(), samples(3), list[str]()
    run = run_samples(
        elf,
        board,
        "unicorn",
        inputs,
        timeout_s=60,
        processes=1,
        instructions=3_000_000_000,
        progress=said.append,
    )
    assert [bytes(output) for output in run.outputs] == [expected(row.tolist()) for row in inputs]
    assert said == [f"ran {done} of 3 samples" for done in (1, 2, 3)]


def test_one_sample_is_enough(build_toy: BuildToy, board: Board) -> None:
    inputs = samples(1)
    run = run_samples(build_toy(), board, "unicorn", inputs, timeout_s=60)
    assert [bytes(output) for output in run.outputs] == [expected(inputs[0].tolist())]


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_a_fault_names_the_samples(
    emulator: str, build_toy: BuildToy, board: Board, request: pytest.FixtureRequest
) -> None:
    if emulator == "qemu":
        request.getfixturevalue("qemu")
    with pytest.raises(CrashError, match=r"^samples 0 to 3: firmware fault in layer 1"):
        run_samples(build_toy(1), board, emulator, samples(4), timeout_s=60, processes=1)


def test_too_short_a_file_is_no_result(build_toy: BuildToy, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgesparse.emulate.unicorn.sample_file", lambda rows: (9).to_bytes(4, "little") + b"123")
    with pytest.raises(CrashError):
        EMULATORS["unicorn"].run(build_toy(), board, timeout_s=60, samples=samples(1))
