"""Scratch as the planner counts it is what the headers say; that it suffices, the sanitizers check in test_fuzz.py."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import templates_folder
from edgesparse.lowering.conv_2d_patches import BLOCKS, BYTES, PAIRS
from edgesparse.lowering.depthwise_conv_2d import depthwise_3x3_scratch_bytes, depthwise_x4_scratch_bytes
from edgesparse.lowering.formats import CONV_2D_FORMATS, FULLY_CONNECTED_FORMATS
from tests.conftest import skip_or_fail

CASES = 400

Fields = dict[str, list[int]]

CONV_2D_SCRATCH = {
    ("dense", "portable"): "es_patch_scratch_s8",
    ("block1x4", "portable"): "es_patch_scratch_s8",
    ("delta8", "portable"): "es_patch_scratch_s8",
    ("delta4", "portable"): "es_patch_scratch_s8",
    ("bitmap", "portable"): "es_patch_scratch_s8",
    ("dense", "dsp"): "es_patch_scratch_block_s16",
    ("block1x4", "dsp"): "es_patch_scratch_block_s16",
    ("bitmap", "dsp"): "es_patch_scratch_block_s16",
    ("delta8", "dsp"): "es_patch_scratch_pair_s32",
    ("delta4", "dsp"): "es_patch_scratch_pair_s32",
}
"""What es_conv_2d.h says, by format and variant."""

FULLY_CONNECTED_SCRATCH = {
    ("dense", "portable"): "es_fully_connected_scratch_s16",
    ("dense", "dsp"): "es_fully_connected_scratch_s16",
    ("block1x4", "portable"): "es_fully_connected_scratch_s16",
    ("block1x4", "dsp"): "es_fully_connected_scratch_s16",
    ("block2x4", "portable"): "es_fully_connected_scratch_s16",
    ("block2x4", "dsp"): "es_fully_connected_scratch_s16",
    ("wide", "portable"): "es_fully_connected_scratch_s8",
    ("wide", "dsp"): "es_fully_connected_scratch_s16",
    ("columns", "portable"): "es_fully_connected_scratch_columns",
    ("delta8", "portable"): "",
    ("delta8", "dsp"): "",
    ("bitmap", "portable"): "",
}
"""What es_fully_connected.h says, by kernel and variant."""


@pytest.fixture(autouse=True)
def _host_compiler() -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")


def _values(folder: Path, struct: str, expressions: list[str], fields: Fields) -> list[tuple[int, ...]]:
    """C expressions of `p`, a parameter struct, for each case."""
    arrays = "".join(f"static const int {n}[] = {{{', '.join(map(str, v))}}};\n" for n, v in fields.items())
    members = ", ".join(f".{name} = {name}[i]" for name in fields)
    values = ", ".join(f"(int)({expression})" for expression in expressions)
    (folder / "sizes.c").write_text(
        '#include <stdio.h>\n#include "es_depthwise_conv_2d.h"\n#include "es_fully_connected.h"\n#include "es_tap.h"\n'
        f'#include "es_patch.h"\n#include "es_conv_2d_rows.h"\n{arrays}int main(void) {{\n'
        f"for (int i = 0; i < {CASES}; i++) {{ const {struct} value = {{{members}}}, *p = &value;\n"
        f'printf("{" %d" * len(expressions)}\\n", {values}); (void)p; }} }}\n'
    )
    include = templates_folder() / "kernels" / "include"
    subprocess.run(["gcc", f"-I{include}", "sizes.c", "-o", "sizes"], cwd=folder, check=True)
    text = subprocess.run([folder / "sizes"], capture_output=True, text=True, check=True).stdout
    return [tuple(map(int, line.split())) for line in text.splitlines()]


def _fuzzed(seed: int, **limits: int) -> Fields:
    """Values from 1 below each limit."""
    rng = np.random.default_rng(seed)
    return {name: [int(value) for value in rng.integers(1, limit, CASES)] for name, limit in limits.items()}


def test_scratch_of_convolutions(tmp_path: Path) -> None:
    kernels = [(name, variant) for name, format in CONV_2D_FORMATS.items() for variant in format.patches]
    fields = _fuzzed(1, kernel_h=8, kernel_w=8, in_c=70)
    found = _values(tmp_path, "es_conv_2d", [f"{CONV_2D_SCRATCH[key]}(p)" for key in kernels], fields)
    for height, width, in_c, sizes in zip(*fields.values(), found, strict=True):
        expected = [CONV_2D_FORMATS[name].patches[variant] for name, variant in kernels]
        assert sizes == tuple(patches.scratch_bytes(height * width * in_c, in_c) for patches in expected)


def test_pixels_and_taps_are_those_of_the_headers(tmp_path: Path) -> None:
    found = _values(tmp_path, "es_conv_2d", ["ES_BLOCK_PIXELS", "ES_PAIR_PIXELS", "sizeof(es_tap)"], _fuzzed(2, in_c=9))
    assert found[0] == (BLOCKS.pixels, PAIRS.pixels, 4)
    assert BYTES.pixels == 4


def test_scratch_of_fully_connected(tmp_path: Path) -> None:
    kernels = [(k, variant, size) for format in FULLY_CONNECTED_FORMATS.values()
               for k, size in format.scratch_bytes.items() for variant in ("portable", "dsp")
               if (k, variant) in FULLY_CONNECTED_SCRATCH]  # fmt: skip
    assert {(kernel, variant) for kernel, variant, _ in kernels} == set(FULLY_CONNECTED_SCRATCH)
    expressions = [f"{FULLY_CONNECTED_SCRATCH[k, variant]}(p)" for k, variant, _ in kernels]
    expressions = ["0" if expression == "(p)" else expression for expression in expressions]
    fields = _fuzzed(3, in_dim=3000)
    found = _values(tmp_path, "es_fully_connected", expressions, fields)
    for in_dim, sizes in zip(fields["in_dim"], found, strict=True):
        assert sizes == tuple(size(variant, in_dim) for _, variant, size in kernels)


def test_scratch_of_depthwise_convolutions(tmp_path: Path) -> None:
    fields = _fuzzed(4, in_c=70, kernel_h=8, kernel_w=8, out_w=60, strip=20, stride_h=3)
    fields["strip"] = [2 * strip for strip in fields["strip"]]
    fields["stride_w"] = fields["stride_h"]
    expressions = ["es_depthwise_x4_scratch_bytes(p)", "es_depthwise_3x3_scratch_bytes(p)"]
    found = _values(tmp_path, "es_depthwise_conv_2d", expressions, fields)
    for case, sizes in enumerate(found):
        in_c, height, width, out_w, strip, stride, _ = (values[case] for values in fields.values())
        assert sizes == (
            depthwise_x4_scratch_bytes(height * width, in_c),
            depthwise_3x3_scratch_bytes(strip, out_w, stride),
        )
