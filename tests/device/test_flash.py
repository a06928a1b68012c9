"""Programming boards: for real through QEMU's gdb server, and with each tool as far as it goes without hardware."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgesparse.boards import Board, board_names, load_board
from edgesparse.cli import cli
from edgesparse.commands.firmware import firmware
from edgesparse.commands.flash import flash
from edgesparse.errors import CrashError, EdgesparseError, MismatchError, SettingsError, ToolMissingError
from edgesparse.flash import PROBERS, Command, ProbeOptions, Steps, check_elf, choose_prober, console_of
from edgesparse.flash.st_flash import binary_image
from edgesparse.missing import Missing
from edgesparse.report.stored import read_report
from edgesparse.toolchain import Elf, build, find
from tests.device.conftest import toolchain_or_skip, write_toy
from tests.support.small_networks import conv_network

NO_OPTIONS = ProbeOptions()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder for the emulated Cortex-M4."""
    toolchain_or_skip("gcc")
    root = tmp_path_factory.mktemp("flash")
    (root / "net.tflite").write_bytes(conv_network())
    firmware(root / "net.tflite", out=root / "out", toolchain="gcc", vectors=3)
    return root / "out"


@pytest.fixture(scope="module")
def pico_elf(tmp_path_factory: pytest.TempPathFactory) -> Elf:
    toolchain_or_skip("gcc")
    project = write_toy(tmp_path_factory.mktemp("pico") / "a firmware", board="rpi-pico")
    return build(project, find("gcc"), load_board("rpi-pico").core)


@contextmanager
def board_in_qemu() -> Iterator[str]:
    """host:port of the gdb server of an MPS2 AN386 that holds no program."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=gdb", "-S", "-gdb", f"tcp:localhost:{port}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        for _ in range(100):
            time.sleep(0.05)
            # Connecting would be taken for gdb: look at what listens instead.
            if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text():
                break
        yield f"localhost:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_programmed_board_gives_the_reports_figures(folder: Path, qemu: str, gdb: str) -> None:
    with board_in_qemu() as port:
        result = CliRunner().invoke(cli, ["flash", str(folder), "--gdb-port", port, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((folder / "report.json").read_text())
    report = read_report(folder)
    assert report.device is not None
    device = report.device.sparse
    assert device.probe.startswith("gdb ")
    assert device.bit_exact == report.bit_exact
    assert device.counter == "systick"
    # One tick of the emulated SysTick is 40 instructions.
    assert abs(device.ticks * 40 - report.sparse.instructions) <= 80
    assert device.stack_bytes == report.sparse.stack_bytes
    assert "emulated board" in device.cycles.reason
    assert isinstance(device.instructions, Missing)
    assert isinstance(report.device.dense, Missing)


def test_the_dense_twin_stands_beside_the_sparse_build(folder: Path, qemu: str, gdb: str) -> None:
    with board_in_qemu() as port:
        report, _ = flash(folder, gdb_port=port, dense=True)
    assert report.device.dense.bit_exact.ok
    assert abs(report.device.dense.ticks * 40 - report.dense.instructions) <= 80


def test_other_outputs_than_the_references_end_with_code_5(folder: Path, qemu: str, gdb: str) -> None:
    source = folder / "firmware" / "model" / "net_weights.c"
    text = source.read_text()
    before = (folder / "report.json").read_text()
    # The first bias of the last layer with weights: large enough to make its class the winner.
    source.write_text(re.sub(r"(_bias\[10\][^{]*\{\s*)-?\d+", r"\g<1>40000000", text, count=1))
    assert source.read_text() != text
    try:
        with board_in_qemu() as port, pytest.raises(MismatchError, match="firmware on mps2-an386") as caught:
            flash(folder, gdb_port=port)
    finally:
        source.write_text(text)
    assert caught.value.exit_code == 5
    assert (folder / "report.json").read_text() == before


def test_without_a_gdb_server_the_error_says_how_to_start_one(folder: Path, gdb: str) -> None:
    result = CliRunner().invoke(cli, ["flash", str(folder), "--gdb-port", "localhost:1"])
    assert isinstance(result.exception, ToolMissingError)
    assert "no gdb server answers" in str(result.exception)


def test_a_dry_run_prints_the_commands_and_leaves_the_report(folder: Path, gdb: str) -> None:
    before = (folder / "report.json").read_text()
    result = CliRunner().invoke(cli, ["flash", str(folder), "--dry-run"])
    assert result.exit_code == 0
    assert "gdb" in result.stdout.split()[0]
    assert "'target remote localhost:3333'" in result.stdout
    assert (folder / "report.json").read_text() == before


def test_make_flash_programs_through_gdb(folder: Path, qemu: str, gdb: str) -> None:
    with board_in_qemu() as port:
        command = ["make", "-C", str(folder / "firmware"), "flash", f"GDB_PORT={port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "es end" in (done.stdout + done.stderr).splitlines()


def boards_with(probe: str) -> list[Board]:
    return [board for board in map(load_board, board_names()) if probe in board.probes]


def test_every_real_board_can_be_programmed() -> None:
    for name in board_names():
        board = load_board(name)
        assert bool(board.probes) != board.emulated
        assert set(board.probes) <= set(PROBERS)


def test_openocd_takes_the_scripts_of_every_board(openocd: str) -> None:
    for board in boards_with("openocd"):
        assert PROBERS["openocd"].require(board)


def test_openocd_refuses_a_target_that_it_lacks(openocd: str) -> None:
    board = load_board("nucleo-l4r5zi")
    wrong = replace(board, probes={"openocd": {**board.probes["openocd"], "target": "target/stm32x9x.cfg"}})
    with pytest.raises(ToolMissingError, match=r"Can't find target/stm32x9x\.cfg"):
        PROBERS["openocd"].require(wrong)


def test_pyocd_knows_its_built_in_targets_and_says_how_to_get_others(pyocd: str) -> None:
    for name in ("nrf52840-dk", "rpi-pico", "rpi-pico2"):
        assert PROBERS["pyocd"].require(load_board(name))
    board = load_board("nrf52840-dk")
    with pytest.raises(ToolMissingError, match=r"does not know the target 'nrf99'.*pyocd pack install nrf99"):
        PROBERS["pyocd"].require(replace(board, probes={"pyocd": {"target": "nrf99"}}))


@pytest.mark.parametrize("probe", ["openocd", "pyocd", "st-flash"])
@pytest.mark.parametrize("name", ["nucleo-l4r5zi", "nrf52840-dk", "rpi-pico"])
def test_without_a_probe_each_tool_says_so(
    probe: str, name: str, pico_elf: Elf, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    board = load_board(name)
    if probe not in board.probes:
        with pytest.raises(SettingsError, match=f"has no settings for {probe}"):
            choose_prober(board, ProbeOptions(probe=probe))
        return
    request.getfixturevalue("stlink" if probe == "st-flash" else probe)
    prober = choose_prober(board, ProbeOptions(probe=probe))
    steps = prober.steps(pico_elf, board, NO_OPTIONS, tmp_path)
    with pytest.raises(ToolMissingError, match=rf"{probe} found no debug probe") as caught:
        console_of(prober, steps, timeout_s=30)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("probe", PROBERS)
def test_a_missing_tool_says_how_to_get_it(probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ToolMissingError, match=r"not found; (install|pip install)") as caught:
        PROBERS[probe].require(load_board("nucleo-l4r5zi"))
    assert caught.value.exit_code == 4


def test_the_command_lines_name_probe_target_and_image(pico_elf: Elf, tmp_path: Path, openocd: str, pyocd: str) -> None:
    options = ProbeOptions(probe_id="0123")
    nordic, pico = load_board("nrf52840-dk"), load_board("rpi-pico")
    (line,) = map(str, PROBERS["openocd"].steps(pico_elf, nordic, options, tmp_path).commands)
    order = ["interface/jlink.cfg", "transport select swd", "adapter serial 0123", "target/nrf52.cfg", "init"]
    order += ["flash write_image erase /", "verify_image /", "reset halt", "arm semihosting enable", "resume"]
    assert [line.index(words) for words in order] == sorted(line.index(words) for words in order)
    load, run = map(str, PROBERS["pyocd"].steps(pico_elf, pico, options, tmp_path).commands)
    assert re.search(r"pyocd load --no-config -W -t rp2040 -u 0123 '/.*a firmware/.*firmware\.elf'$", load)
    assert re.search(r"pyocd run --no-config -W -t rp2040 -u 0123", run)


def test_a_board_with_a_boot_rom_is_reset_and_not_started_behind_it(pico_elf: Elf, tmp_path: Path, gdb: str) -> None:
    (line,) = map(str, PROBERS["gdb"].steps(pico_elf, load_board("rpi-pico"), NO_OPTIONS, tmp_path).commands)
    assert "$pc" not in line
    assert line.index("load") < line.rindex("monitor reset halt") < line.index("continue")


def test_st_flash_gets_the_bytes_from_the_first_address_to_the_last(pico_elf: Elf) -> None:
    address, image = binary_image(pico_elf)
    assert address == 0x10000000
    for segment in pico_elf.segments:
        start = segment.address - address
        assert image[start : start + len(segment.data)] == segment.data
    assert len(image) == pico_elf.flash_bytes + pico_elf.test_vector_bytes


def test_firmware_of_another_board_is_refused(pico_elf: Elf) -> None:
    check_elf(pico_elf, load_board("rpi-pico"))
    with pytest.raises(SettingsError, match=r"outside of the flash of board 'nucleo-l4r5zi'"):
        check_elf(pico_elf, load_board("nucleo-l4r5zi"))


@pytest.mark.parametrize("port", ["3333", "host:", ":1", "host:70000", "ho st:1", "host:x"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match="expected host:port"):
        ProbeOptions(gdb_port=port)


def test_the_prober_is_the_boards_first_unless_named() -> None:
    nucleo, emulated = load_board("nucleo-l4r5zi"), load_board("mps2-an386")
    assert choose_prober(nucleo, NO_OPTIONS).name == "openocd"
    assert choose_prober(nucleo, ProbeOptions(probe="st-flash")).name == "st-flash"
    assert choose_prober(nucleo, ProbeOptions(gdb_port="localhost:1")).name == "gdb"
    assert choose_prober(emulated, NO_OPTIONS).name == "gdb"
    with pytest.raises(SettingsError, match="probe 'jtag' is not known; choose one of: pyocd, openocd, st-flash, gdb"):
        choose_prober(nucleo, ProbeOptions(probe="jtag"))
    with pytest.raises(SettingsError, match="for --probe gdb, not pyocd"):
        choose_prober(nucleo, ProbeOptions(probe="pyocd", gdb_port="localhost:1"))


@dataclass(frozen=True)
class Scripted:
    """A prober whose tool is a piece of Python."""

    console: str
    program: str = ""
    name: str = "scripted"

    def require(self, board: Board) -> str:
        return "1"

    def steps(self, elf: Elf | None = None, board: Board | None = None, *_: object) -> Steps:
        program = (Command((sys.executable, "-c", self.program)),) if self.program else ()
        return Steps(console=Command((sys.executable, "-c", self.console)), program=program)

    def failure(self, output: str) -> EdgesparseError | None:
        return ToolMissingError("no probe") if "no probe" in output else None


def test_lines_of_the_tool_are_left_out() -> None:
    tool = Scripted("print('Loading section .text'); print('es begin x\\nnoise\\nes vector 0\\nes end\\nes bye')")
    assert console_of(tool, tool.steps(), timeout_s=30) == "es begin x\nes vector 0\nes end\n"


def test_output_that_a_tool_holds_back_comes_when_it_is_told_to_stop() -> None:
    """As OpenOCD does: its log is on the standard error at once, the firmware's text behind a buffer."""
    tool = Scripted(
        "import signal, sys, time\n"
        "def stop(*_): raise SystemExit(0)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "sys.stdout.write('es begin x\\nes end\\n')\n"
        "sys.stderr.write('semihosting: *** application exited normally ***\\n'); sys.stderr.flush()\n"
        "time.sleep(60)\n"
    )
    assert console_of(tool, tool.steps(), timeout_s=30) == "es begin x\nes end\n"


def test_a_board_that_says_nothing_is_given_up() -> None:
    tool = Scripted(
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: os._exit(0))\n"
        "print('Info: connected', flush=True)\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(CrashError, match=r"printed no harness output in 5 s; scripted said: Info: connected"):
        console_of(tool, tool.steps(), timeout_s=5)


def test_a_board_that_stops_half_way_is_told() -> None:
    tool = Scripted("import time; print('es begin x', flush=True); time.sleep(60)")
    with pytest.raises(CrashError, match="only a part of the harness output"):
        console_of(tool, tool.steps(), timeout_s=2)


def test_a_command_that_fails_is_named_with_its_words() -> None:
    tool = Scripted("print('es end')", program="print('Error: flash is locked'); raise SystemExit(3)")
    with pytest.raises(ToolMissingError, match=r"scripted failed with code 3: Error: flash is locked; run `"):
        console_of(tool, tool.steps(), timeout_s=30)
    with pytest.raises(ToolMissingError, match="no probe"):
        console_of(tool, replace(tool, program="print('no probe'); raise SystemExit(1)").steps(), timeout_s=30)
