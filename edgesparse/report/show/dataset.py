"""`dataset` of report.json for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["dataset_facts"]


def dataset_facts(report: Mapping[str, Any]) -> list[str]:
    """Lines about the samples that ran on the device; none where none did."""
    dataset = report.get("dataset")
    if dataset is None:
        return []
    agreement = dataset["agreement"]
    host = agreement["int8_host"]
    lines = [
        f"dataset {dataset['source']}: {dataset['samples']:,} samples on the device ({dataset['emulator']}), outputs "
        f"equal {host['reference']} byte for byte on {host['equal']:,} of {host['samples']:,}"
    ]
    accuracy = dataset["accuracy"]
    if "unavailable" in accuracy:
        lines.append(f"  accuracy: not measured: {accuracy['unavailable']}")
    else:
        lines.append(
            f"  accuracy ({accuracy['metric']}): device {accuracy['device']:.4g}, int8 on the host "
            f"{accuracy['int8_host']:.4g}, float {_value(accuracy['float'])}"
        )
    if "unavailable" in agreement["float"]:
        lines.append(f"  float model: {agreement['float']['unavailable']}")
    else:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in agreement["float"].items())
        lines.append(f"  device vs float: {figures}")
    lines.append(f"  instructions: {_spread(dataset['instructions'], ',')}")
    lines.append(f"  cycles (estimate): {_spread(dataset['cycles'], ',')}")
    lines.append(f"  latency (estimate), ms: {_spread(dataset['latency_ms'], ',.2f')}")
    memory = dataset["memory"]
    if "unavailable" not in memory:
        lines.append(
            f"  with the memories of {memory['profile']}, of {memory['of']}: cycles {_spread(memory['cycles'], ',')}; "
            f"ms {_spread(memory['latency_ms'], ',.2f')}"
        )
    return lines


def _value(value: Any) -> str:
    return "unavailable" if isinstance(value, dict) else f"{value:.4g}"


def _spread(figures: Mapping[str, Any], format_: str) -> str:
    if "unavailable" in figures:
        return f"unavailable: {figures['unavailable']}"
    return ", ".join(f"{name} {figures[name]:{format_}}" for name in ("min", "median", "max"))
