"""report.html without a browser: valid, complete, exact, and safe from the names that it shows."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tinyhtml5.parser import HTMLParser

from edgesparse.commands.report import report as report_command
from edgesparse.missing import Missing
from edgesparse.record import from_json
from edgesparse.report.report import Report
from edgesparse.report.show.figures import clean, exact, percent
from edgesparse.report.show.html import render_html as render_report
from edgesparse.report.show.reproduce import command_line
from edgesparse.report.verdict import verdict
from edgesparse.settings import Settings
from tests.support.reports import SAMPLE, changed

HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "</style><svg onload=document.title='owned'>",
    "{{ 7 * 7 }}{% raw %}&lt;",
    "a\x00b\ud800c\ufffed\x1b[31m\u202e",
    "w" * 400,
)


def render_html(value: dict[str, Any]) -> str:
    """The page of the report that is this JSON."""
    return render_report(from_json(Report, value))


def parse(html: str) -> ElementTree.Element:
    """The page as a tree; it must be valid HTML5."""
    parser = HTMLParser(namespace_html_elements=False)
    tree: ElementTree.Element = parser.parse(html)
    assert parser.errors == []
    return tree


def text(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).replace("\N{NO-BREAK SPACE}", " ").split())


def rows(tree: ElementTree.Element, section: str) -> list[list[str]]:
    """The body rows of the first table of a section, heads first."""
    (found,) = (s for s in tree.iter("section") if s.attrib.get("aria-labelledby") == section)
    table = next(found.iter("table"))
    return [[text(cell) for cell in row] for row in table.iter("tr")]


def hostile(report: dict[str, Any]) -> dict[str, Any]:
    """The report as if names in the model's file had been chosen to do harm."""
    bad = copy.deepcopy(report)
    for layer, name in zip(bad["layers"], HOSTILE, strict=False):
        layer["name"] = name
        layer["reason"] = name
    bad["source"]["path"] = "models/" + HOSTILE[0] + HOSTILE[4]
    bad["warnings"] = list(HOSTILE)
    for row in bad["arena_plan"]:
        row["tensor"] = HOSTILE[1]
    for row in bad["mobile"]["tensors"]:
        row["name"] = row["reason"] = HOSTILE[2]
    bad["files"] = {HOSTILE[4]: 1}
    bad["environment"]["versions"] = {HOSTILE[1]: HOSTILE[2]}
    return bad


def test_the_page_is_valid_html5(report: dict[str, Any], full: dict[str, Any]) -> None:
    for value in (report, full):
        parse(render_html(value))


def test_numbers_keep_all_digits_and_get_thousands_separators() -> None:
    assert [exact(v) for v in (1234567, 1234.5678, 1.5e-05, 0.7125, 0)] == [
        "1,234,567",
        "1,234.5678",
        "1.5e-05",
        "0.7125",
        "0",
    ]
    assert [exact(v) for v in (True, None, (1, 2000), "x")] == ["yes", "none", "1, 2,000", "x"]
    assert exact(Missing("no tool")) == "no tool"
    assert [percent(v).replace("\N{NO-BREAK SPACE}", " ") for v in (0.801208, 0.07, 1, 0.0, 1e-06)] == [
        "80.1208 %",
        "7 %",
        "100 %",
        "0 %",
        "0.0001 %",
    ]


def test_every_figure_of_the_builds_is_shown_as_it_is_in_the_report(full: dict[str, Any]) -> None:
    table = rows(parse(render_html(full)), "figures")
    assert table[0] == ["figure", "dense", "sparse", "baseline", "dense / sparse"]
    by_name = {row[0]: row[1:] for row in table[1:]}
    for field, name in (
        ("flash_bytes", "flash, bytes"),
        ("code_bytes", "code"),
        ("weight_bytes", "weights"),
        ("table_bytes", "tables"),
        ("ram_bytes", "RAM, bytes"),
        ("arena_bytes", "arena"),
        ("stack_bytes", "stack"),
        ("instructions", "instructions, largest"),
        ("instructions_min", "instructions, smallest"),
        ("cycles", "cycles (estimate)"),
        ("latency_ms", "latency, ms (estimate)"),
        ("arena_live_bytes", "arena live bytes"),
    ):
        assert by_name[name][:3] == [f"{full[build][field]:,}" for build in ("dense", "sparse", "baseline")], field
    assert by_name["flash, bytes"][3] == f"{full['ratio']['flash']:,}"
    assert by_name["memory: cycles"][:2] == ["7,654,321", "7,654,321"]
    assert by_name["memory: latency ms"][:2] == ["34.5678", "12.3456"]


def test_every_figure_of_the_layers_is_shown_as_it_is_in_the_report(full: dict[str, Any]) -> None:
    section = next(s for s in parse(render_html(full)).iter("section") if s.attrib.get("aria-labelledby") == "layers")
    head, *body = ([text(cell) for cell in row] for row in section.iter("tr"))
    layers = from_json(Report, full).layers
    assert len(body) == len(layers)
    for cells, layer in zip(body, layers, strict=True):
        shown = dict(zip(head, cells, strict=True))
        assert shown["name"] == layer.name
        assert shown["input"] == " x ".join(f"{size:,}" for size in layer.input_shape)
        assert shown["zeros"] == percent(layer.sparsity).replace("\N{NO-BREAK SPACE}", " ")
        assert shown["why"] == " ".join(layer.reason.split())
        for name, field in (
            ("MACs", "macs"),
            ("weight bytes", "weight_bytes"),
            ("dense weight bytes", "dense_weight_bytes"),
            ("instructions", "instructions"),
            ("dense instructions", "dense_instructions"),
            ("cycles", "cycles"),
            ("dense cycles", "dense_cycles"),
        ):
            assert shown[name] == f"{getattr(layer, field):,}"
    assert "45.22 %" in body[0]
    bars = [text(value) for value in section.iter("span") if value.attrib.get("class") == "value"]
    expected = [f"{layer[f]:,}" for layer in full["layers"] for f in ("dense_instructions", "instructions")]
    assert bars == expected


def test_the_memory_maps_add_up(report: dict[str, Any]) -> None:
    tree = parse(render_html(report))
    flash, arena = (
        t for s in tree.iter("section") if s.attrib.get("aria-labelledby") == "memory" for t in s.iter("table")
    )
    for build in ("dense", "sparse"):
        sizes = [text(row[2]) for row in flash.iter("tr") if text(row[0]) == build]
        assert sum(int(size.removesuffix(" B").replace(",", "")) for size in sizes) == report[build]["flash_bytes"]
    plan = report["arena_plan"]
    assert [text(row[3]) for row in arena.iter("tr")][1:] == [f"{row['bytes']:,}" for row in plan]
    assert max(row["offset"] + row["bytes"] for row in plan) <= report["sparse"]["arena_bytes"]
    names = {layer["name"] for layer in report["layers"]}
    assert {row["tensor"] for row in plan if row["kind"] == "activation"} <= {"input", *names}
    assert sum(row["tensor"] == "input" for row in plan) == 1
    for one in plan:
        for other in plan:
            apart = one["offset"] + one["bytes"] <= other["offset"] or other["offset"] + other["bytes"] <= one["offset"]
            never_together = one["last_layer"] < other["first_layer"] or other["last_layer"] < one["first_layer"]
            assert one is other or apart or never_together


def test_the_verdict_and_the_budgets_come_first(full: dict[str, Any]) -> None:
    tree = parse(render_html(full))
    first = next(tree.iter("section"))
    assert text(first) == str(verdict(from_json(Report, full)))
    assert text(first).startswith("Usable: top1 agreement with the float model is 0.985.")
    assert text(first).endswith("1 of 2 budgets not kept.")
    assert first.attrib["class"] == "verdict bad"
    table = rows(tree, "budgets")
    assert table[1:] == [
        ["flash", "1,048,576", f"{full['sparse']['flash_bytes']:,}", "bytes", "yes"],
        ["instructions", "1", f"{full['sparse']['instructions']:,}", "", "no"],
    ]


def test_what_is_unavailable_is_shown_as_its_reason(full: dict[str, Any]) -> None:
    for build in ("sparse", "dense"):
        full[build] |= {
            "cycles": {"unavailable": "QEMU counts no cycles"},
            "latency_ms": {"unavailable": "none, either"},
        }
    full["accuracy"] = {"unavailable": "there were no labels"}
    full["arena_plan"] = {"unavailable": "another planner"}
    full["baseline"] = {"unavailable": "no TFLM_DIR"}
    for layer in full["layers"]:
        layer["instructions"] = layer["dense_instructions"] = {"unavailable": "not per layer"}
    shown = text(parse(render_html(full)))
    for reason in (
        "QEMU counts no cycles",
        "none, either",
        "there were no labels",
        "another planner",
        "no TFLM_DIR",
        "not per layer",
    ):
        assert reason in shown
    assert "unavailable" not in shown


def test_parts_without_a_place_of_their_own_are_shown_too() -> None:
    shown = text(parse(render_report(SAMPLE)))
    for part in ("quantization", "profile", "dataset", "device", "0x08000afc ldr fp, [lr], #4", "57.5", "not profiled"):
        assert part in shown


def test_names_from_files_cannot_become_markup(report: dict[str, Any]) -> None:
    html = render_html(hostile(report))
    tree = parse(html)
    tags = {element.tag for element in tree.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "img", "iframe", "object"}
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on")}
    assert "{{ 7 * 7 }}" in html
    html.encode("utf-8")


def test_the_page_asks_for_nothing_and_forbids_scripts(full: dict[str, Any]) -> None:
    tree = parse(render_html(full))
    sources = [e.attrib[name] for e in tree.iter() for name in ("href", "src", "data", "action") if name in e.attrib]
    assert sources == ["data:,"]
    policy = [e.attrib["content"] for e in tree.iter("meta") if e.attrib.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_page_is_the_same_every_time_and_written_by_every_command(folder: Path, report: dict[str, Any]) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page == render_html(report)
    (folder / "report.html").unlink()
    assert report_command(folder).to_json() == report
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    assert json.loads((folder / "report.json").read_text()) == report


def test_characters_that_html_forbids_are_replaced() -> None:
    assert clean({"a\x00": ("b\ud800", "c\U0001ffff", 1, None)}) == {"a\ufffd": ("b\ufffd", "c\ufffd", 1, None)}
    assert clean(Missing("a\x00")) == Missing("a\ufffd")
    assert clean("\t\n\u202e\U0001f600") == "\t\n\u202e\U0001f600"


def test_the_command_holds_what_differs_from_the_defaults() -> None:
    settings = Settings(sparsity=0.8, labels=False, keep_metadata=True)
    report = replace(changed("source", path="my models/a.h5"), settings=settings)
    assert command_line(report) == "edgesparse convert 'my models/a.h5' --sparsity 0.8 --no-labels --keep-metadata"
    of_object = changed("source", report, format="object")
    assert command_line(of_object).startswith('edgesparse.convert(model, out="DIR", sparsity=0.8, labels=False')
