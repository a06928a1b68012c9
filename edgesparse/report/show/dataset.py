"""What a whole dataset gave on the device, for the terminal."""

from __future__ import annotations

from edgesparse.missing import Missing
from edgesparse.report.show.figures import parts
from edgesparse.result import Dataset, Spread

__all__ = ["dataset_facts"]


def dataset_facts(dataset: Dataset | None) -> list[str]:
    """Lines about the samples that ran on the device; none where none did."""
    if dataset is None:
        return []
    accuracy, agreement, memory = dataset.accuracy, dataset.agreement, dataset.memory
    host = agreement.int8_host
    lines = [
        f"dataset {dataset.source}: {dataset.samples:,} samples on the device ({dataset.emulator}), outputs "
        f"equal {host.reference} byte for byte on {host.equal:,} of {host.samples:,}"
    ]
    if isinstance(accuracy, Missing):
        lines.append(f"  accuracy: not measured: {accuracy.reason}")
    else:
        of_float = "unavailable" if isinstance(accuracy.float, Missing) else f"{accuracy.float:.4g}"
        lines.append(
            f"  accuracy ({accuracy.metric}): device {accuracy.device:.4g}, int8 on the host "
            f"{accuracy.int8_host:.4g}, float {of_float}"
        )
    if isinstance(agreement.float, Missing):
        lines.append(f"  float model: {agreement.float.reason}")
    else:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in parts(agreement.float).items())
        lines.append(f"  device vs float: {figures}")
    lines.append(f"  instructions: {_spread(dataset.instructions, ',')}")
    lines.append(f"  cycles (estimate): {_spread(dataset.cycles, ',')}")
    lines.append(f"  latency (estimate), ms: {_spread(dataset.latency_ms, ',.2f')}")
    if not isinstance(memory, Missing):
        lines.append(
            f"  with the memories of {memory.profile}, of {memory.of}: cycles {_spread(memory.cycles, ',')}; "
            f"ms {_spread(memory.latency_ms, ',.2f')}"
        )
    return lines


def _spread(figures: Spread | Missing, form: str) -> str:
    if isinstance(figures, Missing):
        return f"unavailable: {figures.reason}"
    return f"min {figures.min:{form}}, median {figures.median:{form}}, max {figures.max:{form}}"
