"""What a change does to what is built: every file and figure of a corpus, at a commit and in the working tree.

    python -m benchmarks.replay BASE [--only NAME ...] [--expect PATTERN ...] [--json FILE] [--jobs 2]

BASE: a commit, checked out in a folder under build/ that goes again afterwards. The other side is the working tree as
it is. Both build the corpus (benchmarks/corpus.py; with EDGESPARSE_TEST_MODELS=folder its models too) through the
command line, each with its own code. Files are compared by their bytes, images by what is loaded, report.json by its
figures. Both sides' folders stay in build/replay.

--expect names differences that are meant, by globs: a path in the output folder (`firmware/model/*`), a figure
(`sparse.instructions`, `layers.*.cycles`) or `outcome`, each also as ENTRY:NAME (`digits*:sparse.flash_bytes`).

Exit code: 0 nothing differs, or only what --expect names; 2 it cannot be compared; 3 anything else differs.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeGuard

from benchmarks.builds import Outcome, build, check_tree, checkout, commit_of
from benchmarks.corpus import RefusedError, chosen_corpus
from benchmarks.differences import Comparison, Difference, Figure, compare

__all__ = ["Replay", "compared", "main", "text_of", "write_json"]

ROOT = Path(__file__).resolve().parent.parent

_COLUMNS = {
    "instructions": "sparse.instructions",
    "flash": "sparse.flash_bytes",
    "arena": "sparse.arena_bytes",
    "RAM": "sparse.ram_bytes",
}
_NAMED_ENTRIES = 4
"""So many entries of a file that differs in several are named; the JSON has all."""


@dataclass(frozen=True)
class Replay:
    """The comparisons of all entries, and what of their differences was expected."""

    comparisons: tuple[Comparison, ...]
    refusals: tuple[str, ...]
    expected_patterns: tuple[str, ...] = ()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Those of all entries."""
        return tuple(difference for comparison in self.comparisons for difference in comparison.differences)

    @property
    def unexpected(self) -> tuple[Difference, ...]:
        """The differences that no pattern names."""
        return tuple(difference for difference in self.differences if not self.is_expected(difference))

    @property
    def exit_code(self) -> int:
        """3 where anything differs that was not expected."""
        return 3 if self.unexpected else 0

    def is_expected(self, difference: Difference) -> bool:
        """Whether a pattern names the difference."""
        return any(difference.matches(pattern) for pattern in self.expected_patterns)

    def unused_patterns(self) -> tuple[str, ...]:
        """The patterns that name no difference."""
        return tuple(p for p in self.expected_patterns if not any(d.matches(p) for d in self.differences))


def main() -> int:
    """Build both sides, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE")
    parser.add_argument("--expect", nargs="+", action="extend", default=[], metavar="PATTERN")
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="globs of entries")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was compared")
    parser.add_argument("--jobs", type=int, default=2, help="builds at a time (default 2)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "replay")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    out: Path = arguments.out.resolve()
    try:
        commit = commit_of(ROOT, arguments.base)
        entries = chosen_corpus(ROOT, out / "networks", arguments.only, say=_say)
        with checkout(ROOT, commit, out) as tree:
            trees = {"before": tree, "after": ROOT}
            for path in trees.values():
                check_tree(path)
            outcomes = build(entries, trees, out, jobs=arguments.jobs, say=_say)
    except RefusedError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    replay = compared(outcomes["before"], outcomes["after"], tuple(arguments.expect))
    if arguments.json is not None:
        write_json(arguments.json, commit, replay)
    print("\n".join(text_of(replay)))
    if replay.differences:
        print(f"\nboth sides: {out / 'before'}, {out / 'after'}")
    return replay.exit_code


def compared(before: dict[str, Outcome], after: dict[str, Outcome], expected: tuple[str, ...]) -> Replay:
    """Compare the outcomes of two sides, entry by entry."""
    comparisons = tuple(compare(name, outcome, after[name]) for name, outcome in sorted(before.items()))
    refusals = tuple(
        f"{name}: {outcome.describe()}"
        for name, outcome in sorted(before.items())
        if not outcome.built and outcome.describe() == after[name].describe()
    )
    return Replay(comparisons, refusals, expected)


def write_json(path: Path, commit: str, replay: Replay) -> None:
    """All that was compared, by entry."""
    entries = {
        comparison.entry: {
            "before": comparison.before,
            "after": comparison.after,
            "same_images": comparison.same_images,
            "differences": [
                {**asdict(difference), "expected": replay.is_expected(difference)}
                for difference in comparison.differences
            ],
        }
        for comparison in replay.comparisons
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"base": commit, "refused_by_both": replay.refusals, "entries": entries}, indent=1) + "\n"
    )


def text_of(replay: Replay) -> list[str]:
    """What is printed, line by line."""
    count = len(replay.comparisons) - len(replay.refusals)
    lines = []
    if replay.differences:
        lines += _table(replay)
        lines += _section("Refused on one side, or in other words", replay, _outcome_lines)
        lines += _section("Files", replay, _file_lines)
        lines += _section("Figures", replay, _figure_lines)
        lines += _section("Layers", replay, _layer_lines)
    images = [f"{c.entry}:{name}" for c in replay.comparisons for name in c.same_images]
    if images:
        lines += [f"same image, other names in the file: {_some(images)}"]
    if replay.refusals:
        lines += ["refused by both sides, in the same words:", *(f"  {refusal}" for refusal in replay.refusals)]
    lines += [f"--expect {pattern}: names nothing that differs" for pattern in replay.unused_patterns()]
    if not replay.differences:
        return [*lines, f"nothing differs in {count} builds"]
    changed = sum(1 for comparison in replay.comparisons if comparison.differences)
    verdict = f"differences: {len(replay.differences)}, in {changed} of {len(replay.comparisons)} entries"
    return [*lines, "", f"{verdict}; not named by --expect: {len(replay.unexpected)}"]


def _table(replay: Replay) -> list[str]:
    lines = [f"| entry | {' | '.join(_COLUMNS)} | files |", "| --- |" + " ---: |" * (len(_COLUMNS) + 1)]
    for comparison in replay.comparisons:
        if comparison.differences:
            cells = [_change(comparison.before.get(f), comparison.after.get(f)) for f in _COLUMNS.values()]
            files = sum(1 for difference in comparison.differences if difference.kind == "file")
            lines.append(f"| {comparison.entry} | {' | '.join(cells)} | {files} |")
    return lines


def _section(title: str, replay: Replay, lines_of: Callable[[Sequence[Difference]], list[str]]) -> list[str]:
    """Lines of the unexpected differences, then of the expected ones; nothing where there are none."""
    lines = []
    for suffix, expected in (("", False), (", expected", True)):
        found = lines_of([d for d in replay.differences if replay.is_expected(d) == expected])
        if found:
            lines += ["", f"{title}{suffix}:", *(f"  {line}" for line in found)]
    return lines


def _outcome_lines(differences: Sequence[Difference]) -> list[str]:
    return [f"{d.entry}: {d.before} -> {d.after}" for d in differences if d.kind == "outcome"]


def _file_lines(differences: Sequence[Difference]) -> list[str]:
    lines = []
    for name, group in _grouped(d for d in differences if d.kind == "file"):
        one_side = [
            f", {words} in {number}"
            for words, number in (
                ("new", sum(1 for d in group if d.before is None)),
                ("gone", sum(1 for d in group if d.after is None)),
            )
            if number
        ]
        lines.append(f"{name}: {_entries(group)}{''.join(one_side)}")
    return lines


def _figure_lines(differences: Sequence[Difference]) -> list[str]:
    lines = []
    for name, group in _grouped(d for d in differences if d.kind == "figure" and not d.name.startswith("layers.")):
        if len(group) == 1:
            lines.append(f"{name}: {group[0].entry} {_change(group[0].before, group[0].after)}")
            continue
        rises = [d.after - d.before for d in group if _is_number(d.before) and _is_number(d.after)]
        span = f", by {min(rises):+,} to {max(rises):+,}" if len(rises) == len(group) else ""
        lines.append(f"{name}: {_entries(group)}{span}")
    return lines


def _layer_lines(differences: Sequence[Difference]) -> list[str]:
    """One line per layer of an entry, with all of its figures that differ."""
    layers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for difference in differences:
        if difference.kind == "figure" and difference.name.startswith("layers."):
            layer, _, figure = difference.name.removeprefix("layers.").rpartition(".")
            layers[difference.entry, layer].append(f"{figure} {_change(difference.before, difference.after)}")
    return [f"{entry} {layer}: {', '.join(changes)}" for (entry, layer), changes in layers.items()]


def _grouped(differences: Iterable[Difference]) -> list[tuple[str, list[Difference]]]:
    groups: dict[str, list[Difference]] = defaultdict(list)
    for difference in differences:
        groups[difference.name].append(difference)
    return sorted(groups.items())


def _entries(group: Sequence[Difference]) -> str:
    noun = "entry" if len(group) == 1 else "entries"
    return f"{len(group)} {noun} ({_some([difference.entry for difference in group])})"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_ENTRIES
    return ", ".join(names[:_NAMED_ENTRIES]) + (f" and {more} more" if more > 0 else "")


def _change(before: Figure | None, after: Figure | None) -> str:
    """As `45,082 -> 44,000 (-2.4 %)`; one value where they are equal."""
    if before == after:
        return _text(after)
    share = ""
    if _is_number(before) and _is_number(after) and before:
        share = f" ({100 * (after - before) / before:+.1f} %)"
    return f"{_text(before)} -> {_text(after)}{share}"


def _is_number(value: Figure | None) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Figure | None) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if _is_number(value) else str(value)


def _say(text: str) -> None:
    print(f"replay: {text}", file=sys.stderr, flush=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
