"""The parser of the harness's lines takes exactly the protocol."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgesparse.emulate.trace import describe_layer, layers_of, parse_console
from edgesparse.errors import CrashError, RefusedError
from edgesparse.toolchain import Elf, Symbol

ELF = Elf(
    path=Path("firmware.elf"),
    flash_bytes=0,
    code_bytes=0,
    weight_bytes=0,
    table_bytes=0,
    test_vector_bytes=0,
    data_bytes=0,
    bss_bytes=0,
    arena_bytes=16,
    stack_reserved_bytes=1024,
    entry=0,
    symbols={"kernel": Symbol(0x100, 0x20, ".text"), "__stack_bottom": Symbol(0x20000000, 0, ".stack")},
    segments=(),
    code=(),
)
GOOD = [
    "es begin protocol=1 vectors=2 layers=3 input=4 output=2 arena=16 counter=systick",
    "es vector 0 ticks=5 output=00ff",
    "es vector 1 ticks=6 output=a5a5",
    "es memory arena_used=12 stack_used=100",
    "es end",
]


def test_a_good_run() -> None:
    console = parse_console("\n".join(GOOD) + "\n", ELF)
    assert console.outputs == (b"\x00\xff", b"\xa5\xa5")
    assert console.ticks == (5, 6)
    assert (console.vectors, console.layers, console.input_bytes, console.output_bytes) == (2, 3, 4, 2)
    assert (console.arena_used_bytes, console.stack_used_bytes) == (12, 100)


@pytest.mark.parametrize("missing", range(len(GOOD)))
def test_a_missing_line_is_an_error(missing: int) -> None:
    with pytest.raises(CrashError):
        parse_console("\n".join(GOOD[:missing] + GOOD[missing + 1 :]), ELF)


@pytest.mark.parametrize(
    ("index", "line"),
    [
        (0, "es begin protocol=2 vectors=2 layers=3 input=4 output=2 arena=16 counter=systick"),
        (1, "es vector 0 ticks=5 output=00f"),
        (1, "es vector 0 ticks=5 output=00"),
        (1, "es vector 1 ticks=5 output=00ff"),
        (2, "es vector 1 ticks=-6 output=a5a5"),
        (3, "es memory arena_used=12"),
        (4, "es end of it"),
        (4, "es end\nes end"),
    ],
)
def test_a_wrong_line_is_an_error(index: int, line: str) -> None:
    with pytest.raises(CrashError) as caught:
        parse_console("\n".join([*GOOD[:index], line, *GOOD[index + 1 :]]), ELF)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("index", "found", "put"),
    [
        (0, "vectors=2", "vectors=" + "9" * 5000),
        (0, "arena=16", "arena=" + "9" * 21),
        (0, "layers=3", "layers=\u0663"),
        (1, "ticks=5", "ticks=" + "9" * 5000),
        (1, "vector 0", "vector " + "0" * 5000),
        (3, "stack_used=100", "stack_used=" + "9" * 5000),
        (4, "es end", f"es overrun vector={'9' * 5000}"),
        (4, "es end", f"es arena bytes=1 needed={'9' * 5000}"),
        (4, "es end", f"es refused layer={'9' * 5000} op=ADD got=1 expected=2 x"),
        (4, "es end", f"es refused layer=1 op=- got={'9' * 5000} expected=2 operator without a registration"),
        (4, "es end", f"es fault cfsr=0x00000000 address=0x00000000 pc=0x00000104 sp=0x20000100 layer={'9' * 5000}"),
    ],
)
def test_numbers_that_no_firmware_prints_are_an_error(index: int, found: str, put: str) -> None:
    text = "\n".join([*GOOD[:index], GOOD[index].replace(found, put), *GOOD[index + 1 :]])
    layers_of(text)
    with pytest.raises(CrashError) as caught:
        parse_console(text, ELF)
    assert len(str(caught.value)) < 400


def test_a_damaged_console_is_an_error_and_nothing_else() -> None:
    generator = random.Random(0)
    good = "\n".join(
        [*GOOD[:4], "es arena bytes=16 needed=16", "es selftest pass weights_crc=0x00000001 expected=0x00000001"]
    )
    pieces = ("9" * 4400, "\u0663", "=", " ", "\n", "es end", "es refused layer=", "es overrun vector=", "\0", "f")
    messages = []
    for _ in range(3000):
        text = f"{good}\nes end\n"
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(text))
            text = text[:at] + generator.choice(pieces) + text[at + generator.randint(0, 3) :]
        layers_of(text)
        try:
            parse_console(text, ELF)
        except CrashError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def test_silence_is_an_error() -> None:
    with pytest.raises(CrashError, match="stopped before its first line"):
        parse_console("", ELF)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "es fault cfsr=0x00010000 address=0x00000000 pc=0x00000104 sp=0x20000100 layer=1",
            r"layer 1 'b': undefined instruction at pc=0x00000104 \(kernel\+0x4\)",
        ),
        (
            "es fault cfsr=0x00008200 address=0x60000000 pc=0x00000104 sp=0x20000100 layer=0",
            "layer 0 'a': access to a bad address 0x60000000 at",
        ),
        (
            "es fault cfsr=0x00000082 address=0x1ffffff8 pc=0x00000104 sp=0x1ffffff0 layer=2",
            "outside of the model: stack overflow 0x1ffffff8",
        ),
        (
            "es fault cfsr=0x00000000 address=0x00000000 pc=0x00000000 sp=0x20000100 layer=0",
            "layer 0 'a': hard fault; this",
        ),
        ("es overrun vector=1", "behind its arena of 16 bytes in vector 1"),
        ("es unstable", "two outputs for one input"),
    ],
)
def test_failures_are_told(line: str, words: str) -> None:
    with pytest.raises(CrashError, match=words):
        parse_console("\n".join([GOOD[0], line]), ELF, layer_names=("a", "b"))


def test_what_a_runtime_refuses_is_told_with_op_layer_and_figures() -> None:
    line = "es refused layer=1 op=EDGESPARSE_CONV_2D got=2 expected=1 version of the custom options"
    words = r"layer 1 'b', op EDGESPARSE_CONV_2D: version of the custom options: got 2, expected 1"
    with pytest.raises(RefusedError, match=words) as caught:
        parse_console("\n".join([GOOD[0], line]), ELF, layer_names=("a", "b"))
    assert (caught.value.op, caught.value.got, caught.value.arena) == ("EDGESPARSE_CONV_2D", 2, False)


def test_too_small_an_arena_is_told_with_its_bytes_and_the_variable() -> None:
    line = "es refused layer=0 op=- got=4096 expected=0 bytes of arena are too few"
    with pytest.raises(RefusedError, match=r"got 4,096; give it more \(make TFLM_ARENA_BYTES=8192\)") as caught:
        parse_console("\n".join([GOOD[0], line]), ELF, layer_names=("a", "b"))
    assert caught.value.arena


@pytest.mark.parametrize(("op", "got", "name"), [("-", 3, "CONV_2D"), ("-", 999, "BUILTIN_999"), ("MINE", 32, "MINE")])
def test_an_op_that_is_not_registered_is_named(op: str, got: int, name: str) -> None:
    line = f"es refused layer=3 op={op} got={got} expected=0 operator without a registration"
    with pytest.raises(RefusedError, match=f"no registration for {name};"):
        parse_console("\n".join([GOOD[0], line]), ELF)


def test_a_runtime_may_say_once_or_again_what_arena_it_needs() -> None:
    line = "es arena bytes=4096 needed=2048"
    assert parse_console("\n".join(GOOD), ELF).arena_needed_bytes is None
    assert parse_console("\n".join([GOOD[0], line, *GOOD[1:]]), ELF).arena_needed_bytes == 2048
    assert parse_console("\n".join([GOOD[0], line, *GOOD[1:3], line, *GOOD[3:]]), ELF).arena_needed_bytes == 2048


def test_layers_without_names() -> None:
    assert describe_layer(2, 3, ()) == "in layer 2"
    assert describe_layer(3, 3, ()) == "outside of the model"
