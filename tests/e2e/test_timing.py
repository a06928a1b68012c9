"""Memory waits and profiles through the pipeline: what the report gets, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware
from edgesparse.emulate import diagnose
from edgesparse.errors import SettingsError
from edgesparse.report.show.terminal import summary
from tests.conftest import skip_or_fail
from tests.support.small_networks import conv_network


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("timing") / "net.tflite"
    path.write_bytes(conv_network())
    return path


@pytest.fixture(autouse=True)
def _tools() -> None:
    for name, version, _ in diagnose():
        if name == "unicorn" and version is None:
            skip_or_fail("unicorn is not installed")


def printed(report: dict[str, object]) -> str:
    console = Console(width=200, file=io.StringIO())
    for part in summary(report):
        console.print(part, soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_board_without_waits_says_what_its_latency_leaves_out(model: Path, tmp_path: Path) -> None:
    report = firmware(model, out=tmp_path / "out", vectors=2)
    for build in ("sparse", "dense"):
        reason = getattr(report, build).memory.reason
        assert "cycles and latency are the core's alone" in reason
        assert "stm32l4r5" in reason
        assert "stm32u575" not in reason, "another core's"
    assert "published cycles" in report.sparse.cycle_model
    assert "latency are the core's alone" in printed(report)


def test_memory_waits_come_on_top_and_are_named(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = firmware(model, out=out, memory_profile="stm32l4r5", vectors=2)
    for build in ("sparse", "dense"):
        memory = getattr(report, build).memory
        assert memory.profile == "stm32l4r5"
        assert memory.cycles > getattr(report, build).cycles * 0.95
        assert memory.latency_ms == pytest.approx(memory.cycles / 120e6 * 1000, abs=1e-4)
        assert memory.latency_ms > memory.core_only_latency_ms
        assert memory.flash_loads > 0
        assert "%" in memory.error
    assert report.settings.memory_profile == "stm32l4r5"
    assert "with the memories of stm32l4r5" in printed(report)
    again = emulate(out)
    assert again.sparse.memory == report.sparse.memory, "the same ELF, the same figure"
    other = emulate(out, memory_profile="stm32l4r5-single-bank")
    assert other.sparse.memory.cycles < report.sparse.memory.cycles, "wider lines, fewer waits"


def test_a_profile_says_where_the_cycles_go(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = firmware(model, out=out, vectors=2)
    assert "profile" not in report
    profiled = emulate(out, profile=True)
    for build in ("sparse", "dense"):
        profile = profiled.profile[build]
        assert profile.total.instructions == getattr(profiled, build).instructions
        assert [row.name for row in profile.layers] == [layer.name for layer in report.layers]
        assert profile.layers[0].instructions_per_mac is not None
        assert profile.functions[0].name.startswith("es_")
        assert profile.blocks[0].disassembly
    text = printed(profiled)
    assert "profile of the sparse build" in text
    assert profiled.profile["sparse"].blocks[0].disassembly[0] in text
    assert "profile" not in emulate(out), "an old profile does not stay behind"


def test_qemu_has_no_profile(model: Path, tmp_path: Path, qemu: str) -> None:
    out = tmp_path / "out"
    firmware(model, out=out, vectors=1)
    report = emulate(out, emulator=qemu, memory_profile="stm32l4r5", profile=True)
    assert "--emulator unicorn" in report.sparse.memory.reason
    assert "--emulator unicorn" in report.profile["sparse"].reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stm32x", r"memory profile 'stm32x' is not known; choose one of: .*stm32l4r5"),
        ("stm32u575", r"is of a cortex-m33, the board 'mps2-an386' has a cortex-m4; choose one of: .*stm32l4r5"),
    ],
)
def test_a_wrong_profile_is_refused_before_any_work(name: str, words: str, model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=words):
        firmware(model, out=tmp_path / "out", memory_profile=name)
    assert not (tmp_path / "out").exists()
