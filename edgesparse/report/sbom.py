"""What a firmware or a library is made of, as a bill of materials in CycloneDX 1.6 (ECMA-424).

It has no serial number and no time: the same firmware gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from edgesparse.record import Json
from edgesparse.report.report import Report
from edgesparse.result import Source

__all__ = ["KERNELS", "SBOM_NAME", "Part", "Product", "bill_of_materials", "firmware_sbom", "model_part", "tools_of"]

SBOM_NAME = "sbom.cdx.json"
KERNELS = "edgesparse-kernels"
_APACHE = "Apache-2.0"
_GENERATED = ("model", "board")
"""Folders of a project with what was made for this model and this board."""

_GENERATED_FILES = ("config.mk", "tflm_ops.cc", "model.tflite")


@dataclass(frozen=True, kw_only=True)
class Product:
    """What the bill is of. type: of CycloneDX's component types. sha256: of its image, where there is one."""

    type: str
    name: str
    version: str
    description: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a product. licence: an SPDX expression. files: by the name that the bill gives them."""

    type: str
    name: str
    version: str | None = None
    licence: str | None = None
    description: str | None = None
    sha256: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


def bill_of_materials(product: Product, parts: Iterable[Part], tools: Mapping[str, str]) -> Json:
    """The bill as JSON. tools: versions, by the names of Python packages and compilers."""
    components = [_component(part) for part in parts]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [_tool(name, version) for name, version in tools.items()]},
            "component": {
                "type": product.type,
                "bom-ref": "product",
                "name": product.name,
                "version": product.version,
                "description": product.description,
                **_hashes(product.sha256),
            },
        },
        "components": components,
        "dependencies": [
            {"ref": "product", "dependsOn": [component["bom-ref"] for component in components]},
            *({"ref": component["bom-ref"]} for component in components),
        ],
    }


def firmware_sbom(folder: Path, report: Report, *, tflm_sha256: str | None = None) -> Json:
    """The bill of the sparse firmware in an output folder: its files, what is linked to them, the model.

    tflm_sha256: of TFLite Micro's library, where it is the runtime and is known.
    """
    project = folder / "firmware"
    compiler, _, version = report.environment.toolchain.partition(" ")
    tflm = report.settings.runtime == "tflm"
    image = project / "build" / f"{compiler}{'-tflm' if tflm else ''}" / "firmware.elf"
    groups = _groups(project)
    product = Product(
        type="firmware",
        name=PurePath(report.source.path).stem,
        version=report.source.sha256[:16],
        description=f"int8 neural network for {report.board.name} ({report.board.core}) on runtime "
        f"{report.settings.runtime}",
        sha256=_sha256(image) if image.is_file() else None,
    )
    parts = [
        model_part(report.source),
        Part(
            type="library",
            name="generated-model",
            version=report.source.sha256[:16],
            description="C tables, calls and configuration made of the model; they belong to the user",
            files=groups["generated"],
        ),
        Part(type="library", name=KERNELS, version=report.edgesparse, licence=_APACHE, files=groups["kernels"]),
        Part(
            type="library",
            name="edgesparse-harness",
            version=report.edgesparse,
            licence=_APACHE,
            description="start-up, runtime, self-test and test harness",
            files=groups["harness"],
        ),
        *_linked(compiler, version, tflm, tflm_sha256),
    ]
    return bill_of_materials(product, parts, tools_of(report))


def model_part(source: Source) -> Part:
    """The model file, by its name without the folder."""
    return Part(
        type="machine-learning-model",
        name=PurePath(source.path).name,
        description=f"the model that was given, format {source.format}",
        sha256=source.sha256,
    )


def tools_of(report: Report) -> dict[str, str]:
    """What made a firmware: packages and compiler, each with its version."""
    compiler, _, version = report.environment.toolchain.partition(" ")
    absent = {"python", "platform"}
    packages = {
        name: value
        for name, value in report.environment.versions.items()
        if name not in absent and value != "not installed"
    }
    return {**packages, compiler: version}


def _groups(project: Path) -> dict[str, dict[str, Path]]:
    """The files of a project but what make built, by where they come from."""
    groups: dict[str, dict[str, Path]] = {"kernels": {}, "generated": {}, "harness": {}}
    for path in sorted(project.rglob("*")):
        place = path.relative_to(project)
        if path.is_file() and place.parts[0] != "build":
            generated = place.parts[0] in _GENERATED or place.name in _GENERATED_FILES
            group = "kernels" if place.parts[0] == "kernels" else "generated" if generated else "harness"
            groups[group][f"{project.name}/{place.as_posix()}"] = path
    return groups


def _linked(compiler: str, version: str, tflm: bool, tflm_sha256: str | None) -> list[Part]:
    """What the linker adds, where the image calls it."""
    if compiler == "zig":
        parts = [Part(type="library", name="compiler-rt", version=version, licence="MIT")]
    else:
        licence = "GPL-3.0-or-later WITH GCC-exception-3.1"
        parts = [Part(type="library", name="libgcc", version=version, licence=licence)]
    if tflm:
        what = "TFLite Micro has no version numbers: the hash is that of the library that was linked"
        parts += [
            Part(type="library", name="tflite-micro", licence=_APACHE, description=what, sha256=tflm_sha256),
            Part(type="library", name="newlib", description=f"as installed with {compiler} {version}"),
        ]
    return parts


def _component(part: Part) -> dict[str, Json]:
    component: dict[str, Json] = {"type": part.type, "bom-ref": f"{part.type}:{part.name}", "name": part.name}
    if part.version is not None:
        component["version"] = part.version
    if part.description is not None:
        component["description"] = part.description
    component |= _hashes(part.sha256)
    if part.licence is not None:
        # An expression for what SPDX has no single identifier for.
        single = " " not in part.licence
        component["licenses"] = [{"license": {"id": part.licence}} if single else {"expression": part.licence}]
    if part.files:
        component["components"] = [
            {"type": "file", "name": name, **_hashes(_sha256(path))} for name, path in part.files.items()
        ]
    return component


def _tool(name: str, version: str) -> dict[str, Json]:
    tool: dict[str, Json] = {"type": "application", "name": name, "version": version}
    if name not in ("gcc", "zig"):
        tool["purl"] = f"pkg:pypi/{name}@{version}"
    return tool


def _hashes(sha256: str | None) -> dict[str, Json]:
    return {} if sha256 is None else {"hashes": [{"alg": "SHA-256", "content": sha256}]}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
