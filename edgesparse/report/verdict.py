"""The verdict: whether the network is usable, what it gains, whether it is proven. The same words everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from edgesparse.missing import Missing
from edgesparse.report.fidelity import USABLE, closeness, usable
from edgesparse.report.report import Report
from edgesparse.result import BitExact, Fidelity, Ratio
from edgesparse.settings import Settings

__all__ = ["Verdict", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """`sentences`: the judgement first. `ok`: nothing in them asks for action."""

    sentences: tuple[str, ...]
    ok: bool

    def __str__(self) -> str:
        return " ".join(self.sentences)


def verdict(report: Report) -> Verdict:
    """Judge a report."""
    judgement, is_usable = _judgement(report.fidelity, report.settings)
    loss = _loss(report.ratio, report.settings.optimize)
    if loss and is_usable:
        what = judgement.removeprefix("Usable: ")
        judgement = what[:1].upper() + what[1:]
    missed = sum(not row.ok for row in report.budgets)
    sentences = [loss, judgement] if is_usable else [judgement, loss]
    sentences += [_gains(report.ratio), _proof(report.bit_exact)]
    if missed:
        sentences.append(f"{missed} of {len(report.budgets)} budgets not kept.")
    elif report.budgets:
        sentences.append("All budgets kept.")
    return Verdict(tuple(sentence for sentence in sentences if sentence), is_usable and not missed and not loss)


def _loss(ratio: Ratio, optimize: str) -> str:
    """That the firmware is slower or larger than its dense twin; "" where it is not.

    A difference under half a percent is none. Who optimizes for flash gives instructions away for it.
    """
    watched = {"flash": (ratio.flash, "larger")}
    if optimize != "flash":
        watched |= {"instructions": (ratio.instructions, "slower"), "cycles": (ratio.cycles, "slower")}
    worse = {
        name: (1 / value, how)
        for name, (value, how) in watched.items()
        if not isinstance(value, Missing) and round(value, 2) < 1
    }
    if not worse:
        return ""
    how = " and ".join(dict.fromkeys(how for _, how in worse.values()))
    by = ", ".join(f"{name} {times:.2f}x" for name, (times, _) in worse.items())
    return f"Not worth it: {how} than its dense twin ({by}). Try: more zeros, or zeros in blocks; else keep it dense."


def _judgement(fidelity: Fidelity | Missing, settings: Settings) -> tuple[str, bool]:
    if isinstance(fidelity, Missing):
        return f"Not compared with a float model: {fidelity.reason}.", True
    name, value = closeness(fidelity.sparse_vs_float)
    what = f"{name.replace('_', ' ')} with the float model is {value:,}"
    if usable(fidelity.sparse_vs_float):
        return f"Usable: {what}.", True
    lower = "--channels or --sparsity" if settings.channels else "--sparsity"
    if settings.method == "finetune":
        advice = f"train longer (--epochs), or lower {lower}"
    elif settings.data is None:
        advice = f"give samples (--data FILE, labels are not needed), or lower {lower}"
    else:
        advice = f"train the pruned network (--method finetune), or lower {lower}"
    return f"This network is not usable as it is: {what}, under {USABLE}. Try: {advice}.", False


def _gains(ratio: Ratio) -> str:
    parts = []
    for name, value, less, more in (
        ("flash", ratio.flash, "smaller", "larger"),
        ("instructions", ratio.instructions, "fewer", "more"),
    ):
        if isinstance(value, Missing) or value <= 0:
            continue
        if round(value, 2) == 1:
            parts.append(f"the same {name}")
        else:
            parts.append(f"{name} {value:.2f}x {less}" if value > 1 else f"{name} {1 / value:.2f}x {more}")
    return f"Against its dense twin: {', '.join(parts)}." if parts else ""


def _proof(exact: BitExact | Missing) -> str:
    if isinstance(exact, Missing):
        return f"Outputs not compared: {exact.reason}."
    answer = "equal" if exact.ok else "DIFFER FROM"
    return f"Outputs {answer} {exact.reference} byte for byte on {exact.vectors} inputs, both builds."
