"""A report where Python shows values: as plain text, and as HTML in a notebook."""

from __future__ import annotations

from markupsafe import Markup

from edgesparse.report.report import Report
from edgesparse.report.show.figures import clean
from edgesparse.report.show.totals import totals
from edgesparse.report.verdict import verdict

__all__ = ["as_html", "as_text"]


def as_text(report: Report) -> str:
    """The verdict, what the report is of, and the totals; a line each."""
    rows = totals(report)
    widths = [
        max(len(cell) for cell in column)
        for column in zip(*((row.label, row.dense, row.sparse) for row in rows), ("", "dense", "sparse"), strict=True)
    ]
    table = [
        ("", "dense", "sparse", "dense / sparse"),
        *((row.label, row.dense, row.sparse, row.ratio) for row in rows),
    ]
    lines = [
        f"{label:<{widths[0]}}  {dense:>{widths[1]}}  {sparse:>{widths[2]}}  {ratio:>14}"
        for label, dense, sparse, ratio in table
    ]
    return "\n".join([str(verdict(report)), _subject(report), *lines])


def as_html(report: Report) -> str:
    """The same; names come from files: they are escaped."""
    report = clean(report)
    judged = verdict(report)
    heads = Markup("").join(
        Markup('<th style="text-align: right">{}</th>').format(name) for name in ("dense", "sparse", "dense / sparse")
    )
    rows = Markup("\n").join(
        Markup(
            '<tr><th style="text-align: left">{}</th><td style="text-align: right">{}</td>'
            '<td style="text-align: right">{}</td><td style="text-align: right">{}</td></tr>'
        ).format(row.label.strip(), row.dense, row.sparse, row.ratio)
        for row in totals(report)
    )
    return Markup(
        "<p><strong>{}</strong> {}</p>\n<p>{}</p>\n"
        "<table>\n<thead><tr><th></th>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>\n"
    ).format(judged.sentences[0], " ".join(judged.sentences[1:]), _subject(report), heads, rows)


def _subject(report: Report) -> str:
    return f"{report.source.path} on {report.board.name} ({report.board.core}, {report.board.clock_hz / 1e6:g} MHz)"
