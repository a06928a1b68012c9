"""The timing model beside published cycles of MLPerf Tiny.

    python -m benchmarks.timing --images FOLDER [--match stm32l4r5] [--out build/timing.json]
    EDGESPARSE_TEST_MODELS=folder python -m benchmarks.timing --own [--published mlperf_tiny_cortexm.csv]

--images replays published firmware images: FOLDER holds clones of the result repositories, mlcommons/tiny_results_v1.1,
_v1.2 and _v1.3, which are not part of this project and are not redistributed by it. timing_rows.json names the files,
with the cycles that were measured on the boards. Each image gets two commands, of one and of two inferences: the
difference is one inference with warm caches, without what prints around it.

--own builds this project's dense ad01, ResNet8 and DS-CNN and times them with the memories of the same parts. Those are
other kernels than the published ones: the figures may be compared in their order of magnitude only.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.networks import int8_files
from benchmarks.stm32 import FLASH, PARTS, Stm32
from edgesparse.arch.arm_m.timing.model import core_timing, memory_profile
from edgesparse.arch.arm_m.timing.replay import Timing
from edgesparse.boards import board_names, load_board
from edgesparse.commands.firmware import firmware as firmware_command
from edgesparse.errors import EdgesparseError
from edgesparse.record import to_json

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "timing_rows.json").read_text())
MODELS = {"ad": "ad01", "ic": "resnet", "kws": "kws"}
SYSTEMS = {
    "stm32l4r5": ("NUCLEO_L4R5ZI", "Nucleo-L4R5ZI"),
    "stm32u575": ("NUCLEO_U575ZI",),
    "stm32g0b1": ("NUCLEO_G0B1RE",),
    "stm32h7a3": ("NUCLEO_H7A3ZI", "NUCLEO-H7A3ZI"),
    "stm32f746": ("DISCO_F746NG", "DISCO-F746NG"),
}
"""Systems of the published rows, by memory profile: how their names begin."""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder with clones of the result repositories")
    parser.add_argument("--match", default="", help="only rows whose profile or image contains this")
    parser.add_argument("--own", action="store_true", help="this project's own dense networks")
    parser.add_argument("--published", type=Path, help="CSV with columns system, runtime, bench, cycles")
    parser.add_argument("--cache", type=Path, default=Path("build/networks"))
    parser.add_argument("--out", type=Path, default=Path("build/timing.json"))
    arguments = parser.parse_args()
    if not arguments.images and not arguments.own:
        parser.error("give --images FOLDER or --own")
    results: dict[str, Any] = {}
    if arguments.images:
        results["images"] = replay_images(arguments.images, arguments.match)
    if arguments.own:
        results["own"] = own_networks(arguments.cache, arguments.published)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def replay_images(folder: Path, match: str) -> list[dict[str, Any]]:
    """One line per published row, then the extremes per core."""
    print(
        "| part | submitter, round | network | weights | instructions | published cycles | core only | model | used |"
    )
    print("| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
    done = []
    for row in ROWS:
        if match not in row["profile"] and match not in row["image"]:
            continue
        try:
            done.append(replay_image(folder / row["image"], row))
        except (OSError, EdgesparseError) as error:
            print(f"{row['image']}: {error}", file=sys.stderr)
            continue
        print(text_of(done[-1]), flush=True)
    errors: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for row in done:
        errors[PARTS[part_of(row["profile"])].core, row["fitted"]].append(row["error"])
    for (core, fitted), values in sorted(errors.items()):
        kind = "looked at while fitting" if fitted else "held out"
        print(f"{core}: {len(values)} rows {kind}: {min(values):+.1%} to {max(values):+.1%}")
    if done:
        rate = sum(row["executed"] for row in done) / sum(row["seconds"] for row in done)
        print(f"{rate / 1e6:.0f} M modelled instructions a second of processor time")
    return done


def part_of(profile: str) -> str:
    """The part that a memory profile belongs to."""
    return next(part for part in PARTS if profile.startswith(part))


def replay_image(path: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The modelled cycles of one image, the core alone and with its memories."""
    part = PARTS[part_of(row["profile"])]
    core = core_timing(part.core)
    timings = [Timing(core, None, part.regions), Timing(core, memory_profile(row["profile"]), part.regions)]
    device = Stm32(part, read_image(path), core, timings)
    start = time.process_time()
    (once, first), (twice, both) = device.infer(1), device.infer(2)
    seconds = time.process_time() - start
    alone, modelled = (b - a for a, b in zip(first, both, strict=True))
    return {
        **row,
        "instructions": twice - once,
        "executed": twice + once,
        "core_only": alone,
        "core_only_error": alone / row["cycles"] - 1,
        "modelled": modelled,
        "error": modelled / row["cycles"] - 1,
        "seconds": seconds,
    }


def read_image(path: Path) -> bytes:
    """The bytes from the start of the flash on, of a .bin or an Intel HEX file."""
    if path.suffix != ".hex":
        return path.read_bytes()
    image, upper = bytearray(), 0
    for line in path.read_text().split():
        record = bytes.fromhex(line[1:])
        count, offset, kind, data = record[0], int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
        elif kind == 0:
            at = upper + offset - FLASH
            image.extend(b"\xff" * (at + count - len(image)))
            image[at : at + count] = data
    return bytes(image)


def text_of(row: dict[str, Any]) -> str:
    """One line of the table."""
    cells = [
        row["profile"],
        f"{row['submitter']} {row['round']}",
        row["network"],
        row["weights"],
        f"{row['instructions']:,}",
        f"{row['cycles']:,}",
        f"{row['core_only_error']:+.1%}",
        f"{row['error']:+.1%}",
        "fit" if row["fitted"] else "held out",
    ]
    return "| " + " | ".join(cells) + " |"


def own_networks(cache: Path, published: Path | None) -> list[dict[str, Any]]:
    """This project's dense networks on each part, and what others measured on it."""
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder:
        raise SystemExit("EDGESPARSE_TEST_MODELS is not set")
    rows = list(csv.DictReader(published.open())) if published else []
    print("| part | network | instructions | core only | with memories | published, this part, int8 |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    emulated = [board for board in map(load_board, reversed(board_names())) if board.emulated]
    boards = {board.core.name: board.name for board in emulated}
    done = []
    for profile, systems in SYSTEMS.items():
        for network, model in MODELS.items():
            dense = int8_files(model, folder, cache)["dense"]
            with tempfile.TemporaryDirectory() as work:
                report = firmware_command(
                    dense,
                    out=Path(work) / "out",
                    board=boards[PARTS[profile].core],
                    memory_profile=profile,
                    vectors=2,
                )
            figures, theirs = to_json(report.dense), published_cycles(rows, systems, network)
            done.append({"profile": profile, "network": network, **figures, "published": theirs})
            span = f"{min(theirs):,} to {max(theirs):,} ({len(theirs)} rows)" if theirs else ""
            print(
                f"| {profile} | {network} | {figures['instructions']:,} | {figures['cycles']:,} | "
                f"{figures['memory']['cycles']:,} | {span} |",
                flush=True,
            )
    return done


def published_cycles(rows: list[dict[str, str]], systems: tuple[str, ...], network: str) -> list[int]:
    """Cycles of the rows of a part, floating-point builds left out."""
    chosen = [row for row in rows if row["bench"] == network and "float" not in row["system"]]
    return [int(row["cycles"]) for row in chosen if any(name in row["system"] for name in systems)]


if __name__ == "__main__":
    sys.exit(main())
