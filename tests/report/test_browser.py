"""report.html in headless Chromium: silent, self-contained, exact, and readable on every screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgesparse.commands.convert import convert
from edgesparse.report.show.figures import percent
from tests.report.test_html import hostile, render_html
from tests.support.chromium import Page, open_browser

CHECKS = (Path(__file__).parent / "page_checks.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(chromium, tmp_path_factory.mktemp("chromium") / "profile") as browser:
        yield browser.open_page()


def check(page: Page, name: str) -> Any:
    return page.evaluate(f"({CHECKS}).{name}()")


def show(page: Page, value: dict[str, Any], folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render_html(value), encoding="utf-8")
    page.load(path.as_uri())
    return path


def assert_silent_and_alone(page: Page, path: Path) -> None:
    assert page.complaints() == []
    assert page.requests() == [path.as_uri()]


def figures(value: Any) -> set[str]:
    """All numbers of a part of the report as the page writes them."""
    if isinstance(value, dict):
        return set().union(*(figures(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(figures(item) for item in value))
    return {f"{value:,}"} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def shown_figures(page: Page) -> set[str]:
    return set(re.findall(r"[\d][\d,.]*(?:e-?\d+)?(?<![,.])", check(page, "text")))


def test_no_console_message_no_request_and_no_layout_shift(page: Page, full: dict[str, Any], tmp_path: Path) -> None:
    page.resize(1100)
    path = show(page, full, tmp_path)
    assert check(page, "shift") == 0
    assert_silent_and_alone(page, path)


def test_the_checks_do_find_what_they_look_for(page: Page, tmp_path: Path) -> None:
    page.resize(360)
    path = tmp_path / "bad.html"
    path.write_text(
        "<!DOCTYPE html><meta name=viewport content='width=device-width'><body>"
        "<p style='width:900px;color:#888'>faint</p><img src='missing.png'>"
        "<script>console.error('loud')</script><style>p {background: #999}</style>"
    )
    page.load(path.as_uri())
    assert "loud" in " ".join(page.complaints())
    assert len(page.requests()) == 2
    assert check(page, "overflowing")
    assert check(page, "faint")


@pytest.mark.parametrize("width", [320, 360, 768, 1400])
def test_nothing_overflows_the_screen(page: Page, full: dict[str, Any], tmp_path: Path, width: int) -> None:
    for name, value in (("full", full), ("hostile", hostile(full))):
        page.resize(width)
        show(page, value, tmp_path)
        check(page, "text")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert check(page, "overflowing") == [], name
    wide = "[...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)"
    assert page.evaluate(wide), "wide tables scroll in a box of their own"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_has_contrast(page: Page, full: dict[str, Any], tmp_path: Path, dark: bool) -> None:
    page.resize(1100, dark=dark)
    show(page, full, tmp_path)
    check(page, "text")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") != dark
    assert check(page, "faint") == []


SHARES = ("sparsity", "activation_sparsity")
"""Of `model`: shown in percent."""


def test_the_figures_are_those_of_the_report(page: Page, full: dict[str, Any], tmp_path: Path) -> None:
    page.resize(1100)
    show(page, full, tmp_path)
    parts = ("sparse", "dense", "baseline", "ratio", "accuracy", "fidelity", "files", "arena_plan", "budgets")
    missing = {part: figures(full[part]) - shown_figures(page) for part in parts}
    assert not {part: values for part, values in missing.items() if values}


def test_names_from_files_run_no_script(page: Page, full: dict[str, Any], tmp_path: Path) -> None:
    page.resize(1100)
    path = show(page, hostile(full), tmp_path)
    assert_silent_and_alone(page, path)
    assert page.evaluate("document.title").endswith("edgesparse report")
    assert "document.title='owned'" in check(page, "text")


@pytest.mark.slow
def test_the_report_of_kws_shows_its_figures_exactly(page: Page, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "kws"
    convert(models / "kws_ref_model.h5", data=str(models / "kws400.npz"), sparsity=0.8, out=out)
    report = json.loads((out / "report.json").read_text())
    path = out / "report.html"
    for width, dark in ((1100, False), (1100, True), (360, False)):
        page.resize(width, dark=dark)
        page.load(path.as_uri())
        assert_silent_and_alone(page, path)
        assert check(page, "shift") == 0
        assert page.evaluate("document.documentElement.scrollWidth") == width
        text = check(page, "text")
        shown = shown_figures(page)
        for part in ("sparse", "dense", "ratio", "accuracy", "fidelity", "model", "files"):
            plain = {key: value for key, value in report[part].items() if key not in SHARES}
            assert figures(plain) <= shown, part
        fields = ("macs", "weights", "weight_bytes", "instructions", "dense_instructions", "cycles", "dense_cycles")
        assert figures([{field: layer[field] for field in fields} for layer in report["layers"]]) <= shown
        assert all(percent(report["model"][key]) in text for key in SHARES)
        assert check(page, "overflowing") == []
        assert check(page, "faint") == []
