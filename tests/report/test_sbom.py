"""The bill of materials of a firmware: valid, complete, the same each time, and it follows what is in the folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgesparse.commands.build import build as build_command
from edgesparse.commands.firmware import firmware as firmware_command
from edgesparse.output import write_json
from edgesparse.report.sbom import SBOM_NAME, firmware_sbom
from tests.support.cyclonedx import schema_error
from tests.support.reports import SAMPLE
from tests.support.small_networks import conv_network


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hash_of(component: dict[str, Any]) -> str:
    (entry,) = component["hashes"]
    assert entry["alg"] == "SHA-256"
    return str(entry["content"])


def parts_of(bill: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in bill["components"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sbom")
    (place / "net.tflite").write_bytes(conv_network())
    firmware_command(place / "net.tflite", out=place / "out", vectors=1)
    return place / "out"


def test_it_is_valid_and_names_every_file_of_the_project(folder: Path) -> None:
    assert schema_error(folder / SBOM_NAME) is None
    bill = json.loads((folder / SBOM_NAME).read_text())
    files = {file["name"]: hash_of(file) for part in bill["components"] for file in part.get("components", ())}
    project = folder / "firmware"
    expected = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in project.rglob("*")
        if path.is_file() and path.relative_to(project).parts[0] != "build"
    }
    assert files == expected
    kernels = {file["name"] for file in parts_of(bill)["edgesparse-kernels"]["components"]}
    assert kernels == {name for name in expected if name.startswith("firmware/kernels/")}
    assert "firmware/model/net_weights.c" in {f["name"] for f in parts_of(bill)["generated-model"]["components"]}


def test_it_names_model_image_compiler_and_what_is_linked(folder: Path) -> None:
    bill = json.loads((folder / SBOM_NAME).read_text())
    report = json.loads((folder / "report.json").read_text())
    parts = parts_of(bill)
    assert hash_of(parts["net.tflite"]) == hashlib.sha256(conv_network()).hexdigest()
    compiler, version = report["environment"]["toolchain"].split()
    image = folder / "firmware" / "build" / compiler / "firmware.elf"
    assert hash_of(bill["metadata"]["component"]) == sha256(image)
    tools = {tool["name"]: tool["version"] for tool in bill["metadata"]["tools"]["components"]}
    assert tools[compiler] == version
    assert tools["edgesparse"] == report["edgesparse"]
    assert parts["edgesparse-kernels"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert parts["libgcc" if compiler == "gcc" else "compiler-rt"]["version"] == version


def test_it_has_no_time_no_serial_number_and_no_folder(folder: Path) -> None:
    text = (folder / SBOM_NAME).read_text()
    assert str(folder.parent) not in text
    bill = json.loads(text)
    assert "serialNumber" not in bill
    assert "timestamp" not in bill["metadata"]


def test_building_a_changed_kernel_again_changes_it(folder: Path) -> None:
    kernel = next((folder / "firmware" / "kernels").glob("*.c"))
    before = (folder / SBOM_NAME).read_text()
    old = sha256(kernel)
    original = kernel.read_text()
    kernel.write_text(original + "/* changed */\n")
    try:
        build_command(folder)
        after = (folder / SBOM_NAME).read_text()
        assert old in before
        assert old not in after
        assert sha256(kernel) in after
    finally:
        kernel.write_text(original)
        build_command(folder)
    assert (folder / SBOM_NAME).read_text() == before


@pytest.mark.parametrize("path", ['a/тест "$(id)".h5', "libgcc", "x" * 300 + ".keras", "\x1b[31m.tflite"])
@pytest.mark.parametrize("runtime", ["aot", "tflm"])
def test_any_name_and_runtime_gives_a_valid_bill(path: str, runtime: str, tmp_path: Path) -> None:
    report = replace(
        SAMPLE,
        source=replace(SAMPLE.source, path=path, sha256="0" * 64),
        settings=replace(SAMPLE.settings, runtime=runtime),
        environment=replace(SAMPLE.environment, toolchain="zig 0.17.1"),
    )
    write_json(tmp_path / SBOM_NAME, firmware_sbom(tmp_path, report, tflm_sha256="1" * 64))
    assert schema_error(tmp_path / SBOM_NAME) is None
    parts = parts_of(json.loads((tmp_path / SBOM_NAME).read_text()))
    assert ("tflite-micro" in parts) == (runtime == "tflm")
    assert path.rsplit("/", 1)[-1] in parts


def test_a_damaged_bill_is_found(folder: Path, tmp_path: Path) -> None:
    bill = json.loads((folder / SBOM_NAME).read_text())
    bill["components"][0]["kind"] = "model"
    write_json(tmp_path / SBOM_NAME, bill)
    assert schema_error(tmp_path / SBOM_NAME) is not None
