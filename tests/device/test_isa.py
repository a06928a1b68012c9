"""A firmware with an instruction that its core lacks is refused by function, address and instruction."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesparse.arch.arm_m.isa import check_isa
from edgesparse.boards import CORES, board_names, load_board
from edgesparse.emulate import Unicorn
from edgesparse.emulate.blocks import count_instructions
from edgesparse.errors import BuildError, CrashError
from edgesparse.toolchain import Toolchain, build, read_elf
from tests.device.conftest import toolchain_or_skip, write_toy

# Halfwords, and the cores that have the instruction.
EVERY = frozenset(CORES)
MAINLINE = EVERY - {"cortex-m0", "cortex-m0plus"}
DSP = MAINLINE - {"cortex-m3"}
INSTRUCTIONS = {
    "sdiv r0, r1, r2": ("fb91 f0f2", MAINLINE),
    "movw r0, #1": ("f240 0001", MAINLINE),
    "cbz r0, #": ("b100", MAINLINE),
    "ldrexb r0, [r1]": ("e8d1 0f4f", MAINLINE),
    "smlad r0, r1, r2, r3": ("fb21 3002", DSP),
    "smmulr r0, r1, r2": ("fb51 f012", DSP),
    "umaal r0, r1, r2, r3": ("fbe2 0163", DSP),
    "smlalbb r0, r1, r2, r3": ("fbc2 0183", DSP),
    "vadd.f32 s0, s0, s1": ("ee30 0a20", DSP),
    "vmrs apsr_nzcv, fpscr": ("eef1 fa10", DSP),
    "vldr d0, [r0]": ("ed90 0b00", DSP),
    "vadd.f64 d0, d0, d1": ("ee30 0b01", frozenset()),
    "vmaxnm.f32 s0, s0, s1": ("fe80 0a20", frozenset({"cortex-m7", "cortex-m33", "cortex-m55"})),
    "vcvta.s32.f32 s0, s0": ("febc 0ac0", frozenset({"cortex-m7", "cortex-m33", "cortex-m55"})),
    "lda r0, [r1]": ("e8d1 0faf", frozenset({"cortex-m33", "cortex-m55"})),
    "msr msplim, r0": ("f380 880a", frozenset({"cortex-m33", "cortex-m55"})),
    "vld1.8 {d0}, [r1]": ("f921 070f", frozenset()),
    "mrs r0, control": ("f3ef 8014", EVERY),
    "dsb sy": ("f3bf 8f4f", EVERY),
    "rev r0, r1": ("ba08", EVERY),
    ".byte": ("ffff ffff", frozenset()),
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy project, built for the smallest core, whose instructions all others have."""
    project = write_toy(tmp_path_factory.mktemp("isa") / "firmware", board="mps2-m0plus")
    return build(project, toolchain_or_skip("gcc"), CORES["cortex-m0plus"]).path


@pytest.mark.parametrize("core", CORES)
def test_armv6_code_runs_everywhere(toy: Path, core: str) -> None:
    elf = read_elf(toy)
    check_isa(elf, CORES[core])
    # All code is looked at: the functions lie in runs of instructions, and their constants do not.
    for name in ("main", "reset_handler", "harness_run", "model_invoke", "toy_add", "toy_scale"):
        function = elf.symbol(name)
        assert any(start <= function.address < start + len(code) for start, code in elf.code), name
    vectors = elf.symbol("vectors")
    assert all(start >= vectors.address + vectors.size for start, _ in elf.code)
    assert sum(len(code) for _, code in elf.code) > 1500


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("text", INSTRUCTIONS)
def test_one_instruction_decides(toy: Path, text: str, core: str) -> None:
    """The instruction stands in place of the first ones of model_invoke."""
    halfwords, cores = INSTRUCTIONS[text]
    code = b"".join(int(halfword, 16).to_bytes(2, "little") for halfword in halfwords.split())
    assert count_instructions(code) == 1 or text == ".byte"
    data = bytearray(toy.read_bytes())
    elf = read_elf(toy)
    start = data.find(elf.read(elf.symbol("model_invoke")))
    data[start : start + len(code)] = code
    patched = toy.with_name(f"{core}.elf")
    patched.write_bytes(data)
    if core in cores:
        check_isa(read_elf(patched), CORES[core])
        return
    with pytest.raises(BuildError) as caught:
        check_isa(read_elf(patched), CORES[core])
    address = elf.symbol("model_invoke").address
    assert f"model_invoke+0x0 at {address:#010x} holds '{text.rstrip('#')}" in str(caught.value)
    assert core in str(caught.value)


@pytest.mark.parametrize("name", board_names())
def test_builds_hold_what_the_core_has(name: str, toolchain: Toolchain, tmp_path: Path) -> None:
    board = load_board(name)
    elf = build(write_toy(tmp_path / "firmware", board=name), toolchain, board.core)
    assert elf.symbol("model_invoke").size > 0


@pytest.mark.parametrize(
    ("flags", "core"),
    [("mps2-an385", "cortex-m0plus"), ("mps2-an386", "cortex-m3"), ("mps2-an386", "cortex-m0plus")],
)
def test_a_build_with_another_cores_flags_is_refused(
    flags: str, core: str, toolchain: Toolchain, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match=rf"at 0x\w{{8}} holds '.*', .*; a {core} cannot run it"):
        build(write_toy(tmp_path / "firmware", board=flags), toolchain, CORES[core])


def test_unaligned_access_traps_on_the_smallest_core(tmp_path: Path) -> None:
    """In unicorn; QEMU's stand-in for that board is a Cortex-M3, which allows it."""
    board = load_board("mps2-m0plus")
    project = write_toy(tmp_path / "firmware", board=board.name)
    model = project / "model" / "model.c"
    text = model.read_text()
    break_it = "    break_something();\n"
    assert break_it in text
    unaligned = '    __asm__ volatile("ldr r0, [%0]" ::"l"(&model_layer_bytes[1]) : "r0");\n'
    text = text.replace(break_it, unaligned).replace(
        "void model_invoke", "static uint8_t model_layer_bytes[8] __attribute__((aligned(8)));\nvoid model_invoke"
    )
    text = text.replace("__attribute__((noinline)) static", "__attribute__((noinline, unused)) static")
    model.write_text(text)
    elf = build(project, toolchain_or_skip("gcc"), board.core)
    with pytest.raises(CrashError, match=r"in layer 1 'b': .*model_invoke\+0x"):
        Unicorn().run(elf, board, timeout_s=60, layer_names="abc")
