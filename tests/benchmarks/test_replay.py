"""Two sides of a replay: what counts as equal, what is named, and which exit code that gives."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from benchmarks.builds import Outcome, build, check_tree, checkout, commit_of
from benchmarks.corpus import Entry, RefusedError, chosen_corpus, corpus
from benchmarks.replay import ROOT, Replay, compared, text_of, write_json
from benchmarks.sizes import table
from tests.kernels.networks import NETWORKS
from tests.support.small_networks import conv_network

MODEL_C = "firmware/model/model.c"
IMAGE = "firmware/build/gcc/firmware.elf"


def elf(loaded: bytes, name: bytes = b".text") -> bytes:
    """A 32-bit ELF for Arm with one segment of these bytes, whose only section name is `name`."""
    header, program, section = 52, 32, 40
    names = b"\0" + name + b"\0"
    names_at = header + program + len(loaded)
    sections_at = names_at + len(names)
    identity = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    fields = (2, 40, 1, 0x8001, header, sections_at, 0x5000000, header, program, 1, section, 2, 1)
    start = identity + struct.pack("<HHIIIIIHHHHHH", *fields)
    segment = struct.pack("<8I", 1, header + program, 0x8000, 0x8000, len(loaded), len(loaded), 5, 4)
    string_table = struct.pack("<10I", 1, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    return start + segment + loaded + names + bytes(section) + string_table


def output(folder: Path, **changes: bytes | int | None) -> Outcome:
    """An output folder by hand; changes: `model_c`, `image`, `log`, `extra`, `instructions`."""
    files = {
        MODEL_C: changes.get("model_c", b"int main;\n"),
        IMAGE: changes.get("image", elf(b"code")),
        "firmware/build/gcc/model.o": changes.get("log", b"object"),
        "report.html": changes.get("log", b"page"),
        "firmware/model/extra.h": changes.get("extra"),
    }
    for name, data in files.items():
        if isinstance(data, bytes):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    instructions = changes.get("instructions", 1000)
    figures = {"instructions": instructions, "flash_bytes": 500, "cycles": {"unavailable": str(folder)}}
    report = {
        "source": {"path": str(folder)},
        "bit_exact": {"ok": True},
        "sparse": figures,
        "dense": {"instructions": 2000, "flash_bytes": 900},
        "layers": [{"name": "conv", "op": "CONV_2D", "format": "dense", "instructions": instructions}],
    }
    (folder / "report.json").write_text(json.dumps(report))
    return Outcome(0, "", folder)


def replay(tmp_path: Path, *expected: str, **changes: bytes | int | None) -> Replay:
    """The replay of two entries; the changes are those of the first one's second side."""
    before = {name: output(tmp_path / "before" / name) for name in ("digits", "kws")}
    after = {"digits": output(tmp_path / "after" / "digits", **changes), "kws": output(tmp_path / "after" / "kws")}
    return compared(before, after, expected)


def test_equal_folders_differ_in_nothing(tmp_path: Path) -> None:
    same = replay(tmp_path)
    assert same.exit_code == 0
    assert text_of(same) == ["nothing differs in 2 builds"]


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    changed = replay(tmp_path, model_c=b"int Main;\n")
    assert changed.exit_code == 3
    (difference,) = changed.unexpected
    assert (difference.entry, difference.kind, difference.name) == ("digits", "file", MODEL_C)
    assert f"  {MODEL_C}: 1 entry (digits)" in text_of(changed)


@pytest.mark.parametrize("pattern", ["firmware/model/*", f"digits:{MODEL_C}", "*:*.c"])
def test_an_expected_file_is_listed_and_passes(tmp_path: Path, pattern: str) -> None:
    changed = replay(tmp_path, pattern, model_c=b"int Main;\n")
    assert changed.exit_code == 0
    text = text_of(changed)
    assert "Files, expected:" in text
    assert text[-1] == "differences: 1, in 1 of 2 entries; not named by --expect: 0"


@pytest.mark.parametrize("pattern", ["kws:*", "dense/*", "model.c"])
def test_a_pattern_for_something_else_excuses_nothing(tmp_path: Path, pattern: str) -> None:
    changed = replay(tmp_path, pattern, model_c=b"int Main;\n")
    assert changed.exit_code == 3
    assert f"--expect {pattern}: names nothing that differs" in text_of(changed)


def test_a_file_of_one_side_is_new(tmp_path: Path) -> None:
    changed = replay(tmp_path, extra=b"#define A\n")
    assert changed.exit_code == 3
    assert "  firmware/model/extra.h: 1 entry (digits), new in 1" in text_of(changed)


def test_objects_and_pages_are_not_compared(tmp_path: Path) -> None:
    assert replay(tmp_path, log=b"other").exit_code == 0


def test_an_image_with_other_names_is_the_same_image(tmp_path: Path) -> None:
    same = replay(tmp_path, image=elf(b"code", name=b".code"))
    assert same.exit_code == 0
    assert f"same image, other names in the file: digits:{IMAGE}" in text_of(same)


def test_an_image_with_other_code_differs(tmp_path: Path) -> None:
    changed = replay(tmp_path, image=elf(b"edoc"))
    assert [difference.name for difference in changed.unexpected] == [IMAGE]


def test_a_broken_image_differs(tmp_path: Path) -> None:
    assert replay(tmp_path, image=b"no ELF").exit_code == 3


def test_fewer_instructions_are_shown_by_build_and_layer(tmp_path: Path) -> None:
    faster = replay(tmp_path, "sparse.instructions", instructions=900)
    assert faster.exit_code == 3
    assert [difference.name for difference in faster.unexpected] == ["layers.conv.instructions"]
    text = text_of(faster)
    assert "  digits conv: instructions 1,000 -> 900 (-10.0 %)" in text
    assert "| digits | 1,000 -> 900 (-10.0 %) | 500 | none | none | 0 |" in text
    patterns = ("sparse.instructions", "layers.*.instructions")
    assert replay(tmp_path, *patterns, instructions=900).exit_code == 0


def test_a_refusal_of_one_side_differs(tmp_path: Path) -> None:
    built, refused = output(tmp_path / "built"), Outcome(2, "edgesparse: error: no kernel", tmp_path / "absent")
    changed = compared({"digits": built}, {"digits": refused}, ())
    assert changed.exit_code == 3
    assert "  digits: built -> exit 2: edgesparse: error: no kernel" in text_of(changed)
    assert compared({"digits": built}, {"digits": refused}, ("outcome",)).exit_code == 0


def test_a_refusal_in_other_words_differs(tmp_path: Path) -> None:
    one, other = (Outcome(2, words, tmp_path / "absent") for words in ("no kernel", "no kernel for SQRT"))
    assert compared({"digits": one}, {"digits": other}, ()).exit_code == 3
    same = compared({"digits": one}, {"digits": one}, ())
    assert same.exit_code == 0
    assert text_of(same)[-1] == "nothing differs in 0 builds"
    assert "  digits: exit 2: no kernel" in text_of(same)


def test_the_json_has_what_was_expected(tmp_path: Path) -> None:
    changed = replay(tmp_path, "sparse.*", instructions=900)
    write_json(tmp_path / "replay.json", "abc", changed)
    entry = json.loads((tmp_path / "replay.json").read_text())["entries"]["digits"]
    assert entry["before"]["sparse.instructions"] == 1000
    assert entry["after"]["sparse.instructions"] == 900
    assert {d["name"]: d["expected"] for d in entry["differences"]} == {
        "sparse.instructions": True,
        "layers.conv.instructions": False,
    }


def test_the_table_of_sizes_has_both_builds_and_refusals(tmp_path: Path) -> None:
    outcomes = {"digits": output(tmp_path / "out"), "elu": Outcome(2, "no kernel", tmp_path / "absent")}
    lines = list(table(outcomes))
    assert lines[2] == "| digits | sparse | - | - | - | 500 | - | - | - |"
    assert lines[3].startswith("| digits | dense | - | - | - | 900 |")
    assert lines[4].startswith("| elu | exit 2: no kernel |")


def test_the_test_networks_hold_every_op(tmp_path: Path) -> None:
    def kinds(data: bytes) -> set[int]:
        return {code.builtinCode for code in schema.ModelT.InitFromPackedBuf(data, 0).operatorCodes}

    entries = corpus(ROOT, tmp_path, None)
    m4 = {entry.model for entry in entries if entry.model.parent == tmp_path and "mps2-an386" in entry.name}
    built = set().union(*(kinds(model.read_bytes()) for model in m4 if model.stem != "unsupported"))
    wanted = set().union(*(kinds(network(np.random.default_rng(0))[0]) for network in NETWORKS.values()))
    assert wanted <= built
    assert {entry.model.stem for entry in entries} >= {path.stem for path in ROOT.glob("examples/*/*.h5")}
    assert len({entry.name for entry in entries}) == len(entries)


def test_the_test_networks_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        corpus(ROOT, tmp_path / folder, None)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_only_takes_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESPARSE_TEST_MODELS", raising=False)
    said: list[str] = []
    chosen = chosen_corpus(ROOT, tmp_path, ["conv.*an385", "digits"], say=said.append)
    assert sorted(entry.name for entry in chosen) == ["conv.mps2-an385", "digits"]
    assert said == ["EDGESPARSE_TEST_MODELS is not set: examples and test networks only"]
    with pytest.raises(RefusedError, match=r"--only names no entry; there are .*digits"):
        chosen_corpus(ROOT, tmp_path, ["dogits"], say=said.append)


def test_a_tree_without_edgesparse_is_refused(tmp_path: Path) -> None:
    """Python would find an installed one, and compare it with itself."""
    with pytest.raises(RefusedError, match="would run the edgesparse of"):
        check_tree(tmp_path)


def test_an_unknown_commit_exits_with_2() -> None:
    command = [sys.executable, "-m", "benchmarks.replay", "no-such-commit"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "'no-such-commit' is no commit of" in result.stderr


@pytest.mark.slow
def test_a_commit_equals_itself_until_it_is_edited(tmp_path: Path, gcc: str) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository")
    model = tmp_path / "conv.tflite"
    model.write_bytes(conv_network())
    entries = [Entry("conv", "firmware", model)]
    head = commit_of(ROOT, "HEAD")
    with checkout(ROOT, head, tmp_path) as one, checkout(ROOT, head, tmp_path) as two:
        trees = {"before": one, "after": two}
        for tree in trees.values():
            check_tree(tree)
        first = build(entries, trees, tmp_path / "out", jobs=2, say=print)
        assert text_of(compared(first["before"], first["after"], ()))[-1] == "nothing differs in 1 builds"
        template = two / "firmware_templates" / "project" / "main.c"
        template.write_text(template.read_text() + "/* edited */\n")
        second = build(entries, trees, tmp_path / "out", jobs=2, say=print)
        edited = compared(second["before"], second["after"], ())
    assert [difference.name for difference in edited.unexpected] == ["dense/main.c", "firmware/main.c"]
    assert not list(tmp_path.glob("tree-*"))
