"""model.sparse.tflite is kept only where the runtimes agree: what happens where one does not, or is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgesparse.mobile import convert, phone_model
from edgesparse.oracle import PHONE_RUNTIMES
from edgesparse.report.show.mobile import phone_file
from edgesparse.tflite import read_graph
from tests.support.small_networks import conv_network

NAMES = ["first", "second", "flatten", "last", "softmax"]
INPUTS = np.random.default_rng(0).integers(-128, 128, (3, 8, 8, 4)).astype(np.int8)


def converted(**options: Any) -> convert.PhoneModel:
    return phone_model(conv_network(), INPUTS, **{"optimize": "size", "names": NAMES} | options)


def encoded_tensors(model: bytes) -> int:
    from edgesparse.tflite import objects

    return sum(tensor.sparsity is not None for tensor in objects.parse(model).subgraphs[0].tensors)


def test_an_equal_file_is_kept_and_the_report_says_what_was_checked() -> None:
    phone = converted()
    assert phone.warnings == ()
    assert phone.report["bytes"] == len(phone.data) < len(conv_network())
    assert [tensor["name"] for tensor in phone.report["tensors"]] == ["first", "second", "last"]
    assert set(phone.report["checks"]) == set(PHONE_RUNTIMES)
    for check in phone.report["checks"].values():
        if "unavailable" not in check:
            assert (check["kernels"], check["equal"], check["inputs"]) == ("reference", True, 3)


def test_for_latency_litert_is_asked_with_the_kernels_that_a_phone_uses() -> None:
    checks = converted(optimize="latency").report["checks"]
    kernels = {runtime: check["kernels"] for runtime, check in checks.items() if "unavailable" not in check}
    assert kernels.items() <= {"tflite-runtime": "reference", "litert": "default"}.items()


def test_without_a_runtime_the_file_is_dense_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "runtime_version", lambda distribution: None)
    phone = converted()
    assert phone.data == conv_network()
    (warning,) = phone.warnings
    assert "no runtime to check it on (pip install edgesparse[mobile])" in warning
    assert all("not installed" in check["unavailable"] for check in phone.report["checks"].values())


def test_one_runtime_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    real = convert.runtime_version
    monkeypatch.setattr(convert, "runtime_version", lambda name: None if name == "ai-edge-litert" else real(name))
    phone = converted()
    assert encoded_tensors(phone.data) == 2
    assert phone.warnings == ()
    assert "pip install edgesparse[mobile]" in phone.report["checks"]["litert"]["unavailable"]


def test_a_tensor_that_a_runtime_refuses_stays_dense_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = convert.run_on_phone_runtime
    graph = read_graph(conv_network())
    last = np.asarray(graph.input(graph.ops[3], 1).data)

    def picky(runtime: str, model: bytes, inputs: Any, *, reference: bool) -> Any:
        if runtime == "litert" and encoded_tensors(model) and last.tobytes() not in model:
            return "cannot take the last layer"
        return real(runtime, model, inputs, reference=reference)

    monkeypatch.setattr(convert, "run_on_phone_runtime", picky)
    phone = converted()
    (warning,) = phone.warnings
    assert "'last'" in warning
    assert "litert says: cannot take the last layer" in warning
    storage = {tensor["name"]: tensor["storage"] for tensor in phone.report["tensors"]}
    assert storage["last"] == "dense"
    assert storage["first"] != "dense"
    assert encoded_tensors(phone.data) == 1


def test_other_outputs_make_the_file_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    real = convert.run_on_phone_runtime

    def wrong(runtime: str, model: bytes, inputs: Any, *, reference: bool) -> Any:
        outputs = real(runtime, model, inputs, reference=reference)
        return outputs + 1 if encoded_tensors(model) and isinstance(outputs, np.ndarray) else outputs

    monkeypatch.setattr(convert, "run_on_phone_runtime", wrong)
    phone = converted()
    assert phone.data == conv_network()
    assert "gives other outputs than for the dense file (reference kernels)" in phone.warnings[-1]
    assert {tensor["storage"] for tensor in phone.report["tensors"]} == {"dense"}
    assert "gives other outputs" in phone.report["tensors"][0]["reason"]


def test_a_runtime_that_refuses_the_dense_file_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    real = convert.run_on_phone_runtime

    def refuses(runtime: str, model: bytes, inputs: Any, *, reference: bool) -> Any:
        return "no such op" if runtime == "litert" else real(runtime, model, inputs, reference=reference)

    monkeypatch.setattr(convert, "run_on_phone_runtime", refuses)
    phone = converted()
    assert encoded_tensors(phone.data) == 2
    assert phone.report["checks"]["litert"] == {"unavailable": "refuses the dense file: no such op"}


def test_a_network_without_zeros_keeps_its_bytes_and_says_why() -> None:
    dense = conv_network(density=1.0)
    phone = phone_model(dense, INPUTS, optimize="size", names=NAMES)
    assert phone.data == dense
    assert phone.warnings == ("model.sparse.tflite has dense storage: no tensor gets smaller",)
    assert all("would take" in tensor["reason"] for tensor in phone.report["tensors"])


def test_the_summary_says_what_was_encoded_and_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    real = convert.runtime_version
    monkeypatch.setattr(convert, "runtime_version", lambda name: None if name == "ai-edge-litert" else real(name))
    (line,) = phone_file({"mobile": converted().report})
    assert line.startswith("model.sparse.tflite: 2 of 3 weight tensors encoded, outputs equal on tflite-runtime ")
    assert line.endswith("; not checked on litert")
    assert phone_file({}) == []
