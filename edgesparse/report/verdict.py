"""The verdict: whether the network is usable, what it gains, whether it is proven. The same words everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgesparse.report.fidelity import USABLE, usable

__all__ = ["Verdict", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """`sentences`: the judgement first. `ok`: nothing in them asks for action."""

    sentences: tuple[str, ...]
    ok: bool

    def __str__(self) -> str:
        return " ".join(self.sentences)


def verdict(report: Mapping[str, Any]) -> Verdict:
    """Judge a report; what it does not have is left out."""
    judgement, is_usable = _judgement(report)
    ratio = report.get("ratio", {})
    loss = _loss(ratio, report.get("settings", {}).get("optimize", "latency"))
    if loss and is_usable:
        what = judgement.removeprefix("Usable: ")
        judgement = what[:1].upper() + what[1:]
    budgets = report.get("budgets", ())
    missed = sum(not row["ok"] for row in budgets)
    sentences = [loss, judgement] if is_usable else [judgement, loss]
    sentences += [_gains(ratio), _proof(report.get("bit_exact", {}))]
    if missed:
        sentences.append(f"{missed} of {len(budgets)} budgets not kept.")
    elif budgets:
        sentences.append("All budgets kept.")
    return Verdict(tuple(sentence for sentence in sentences if sentence), is_usable and not missed and not loss)


def _loss(ratio: Mapping[str, Any], optimize: str) -> str:
    """That the firmware is slower or larger than its dense twin; "" where it is not.

    ratio: dense / sparse, of which a difference under half a percent is none. Who optimizes for flash gives
    instructions away for it.
    """
    watched = {"flash": "larger", "instructions": "slower", "cycles": "slower"}
    if optimize == "flash":
        watched = {"flash": "larger"}
    values = {name: ratio.get(name) for name in watched}
    worse = [name for name, value in values.items() if isinstance(value, int | float) and round(value, 2) < 1]
    if not worse:
        return ""
    how = " and ".join(dict.fromkeys(watched[name] for name in worse))
    by = ", ".join(f"{name} {1 / ratio[name]:.2f}x" for name in worse)
    return f"Not worth it: {how} than its dense twin ({by}). Try: more zeros, or zeros in blocks; else keep it dense."


def _judgement(report: Mapping[str, Any]) -> tuple[str, bool]:
    fidelity = report.get("fidelity", {})
    figures = fidelity.get("sparse_vs_float")
    if not figures:
        reason = fidelity.get("unavailable")
        return (f"Not compared with a float model: {reason}." if reason else ""), True
    name, value = next(iter(figures.items()))
    what = f"{name.replace('_', ' ')} with the float model is {value:,}"
    if usable(figures):
        return f"Usable: {what}.", True
    settings = report["settings"]
    lower = "--channels or --sparsity" if settings.get("channels") else "--sparsity"
    if settings["method"] == "finetune":
        advice = f"train longer (--epochs), or lower {lower}"
    elif settings["data"] is None:
        advice = f"give samples (--data FILE, labels are not needed), or lower {lower}"
    else:
        advice = f"train the pruned network (--method finetune), or lower {lower}"
    return f"This network is not usable as it is: {what}, under {USABLE}. Try: {advice}.", False


def _gains(ratio: Mapping[str, Any]) -> str:
    parts = []
    for name, less, more in (("flash", "smaller", "larger"), ("instructions", "fewer", "more")):
        value = ratio.get(name)
        if isinstance(value, int | float):
            if round(value, 2) == 1:
                parts.append(f"the same {name}")
            else:
                parts.append(f"{name} {value:.2f}x {less}" if value > 1 else f"{name} {1 / value:.2f}x {more}")
    return f"Against its dense twin: {', '.join(parts)}." if parts else ""


def _proof(exact: Mapping[str, Any]) -> str:
    if "ok" not in exact:
        return f"Outputs not compared: {exact['unavailable']}." if "unavailable" in exact else ""
    answer = "equal" if exact["ok"] else "DIFFER FROM"
    return f"Outputs {answer} {exact['reference']} byte for byte on {exact['vectors']} inputs, both builds."
