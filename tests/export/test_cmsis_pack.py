"""The CMSIS-Pack: rules of PACK.xsd 1.7 for the elements that the .pdsc uses, and the example compiled and run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml

from tests.export.conftest import Firmware, compile_sources, run
from tests.support.c_style import WARNINGS

Export = Callable[[Path, str], Path]

# Per element: attributes (True: required) and children in order (True: at least one), as PACK.xsd has them.
ELEMENTS: dict[str, tuple[dict[str, bool], dict[str, bool]]] = {
    "package": (
        {"schemaVersion": True, "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation": False},
        {
            "vendor": True, "name": True, "description": True, "url": True, "license": False, "releases": True,
            "keywords": False, "taxonomy": False, "conditions": False, "components": False, "examples": False,
        },
    ),
    "releases": ({}, {"release": True}),
    "release": ({"version": True, "date": False}, {}),
    "keywords": ({}, {"keyword": True}),
    "conditions": ({}, {"condition": True}),
    "condition": ({"id": True}, {"description": False, "accept": False, "require": False, "deny": False}),
    "components": ({}, {"component": True}),
    "files": ({}, {"file": True}),
    "file": ({"category": True, "name": True, "attr": False, "select": False, "condition": False}, {}),
    "examples": ({}, {"example": True}),
    "example": (
        {"name": True, "folder": True, "doc": True, "version": False},
        {"description": True, "project": True, "attributes": False},
    ),
    "project": ({}, {"environment": True}),
    "environment": ({"name": True, "load": True}, {}),
}  # fmt: skip
ID_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+()'/\-\s.]{1,31}")
SUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+():/\- .]{0,31}")
CORES = {"Cortex-M0", "Cortex-M0+", "Cortex-M23", "Cortex-M3", "Cortex-M4", "Cortex-M7", "Cortex-M33", "Cortex-M35P",
         "Cortex-M55", "Cortex-M85"}  # fmt: skip


def pack(library: Path) -> tuple[Path, ElementTree.Element]:
    (path,) = library.glob("*.pdsc")
    return path, ElementTree.parse(path).getroot()


def text_of(element: ElementTree.Element | None) -> str:
    assert element is not None
    return (element.text or "").strip()


def test_the_pdsc_obeys_the_schema(firmware: Firmware, export: Export) -> None:
    path, root = pack(export(firmware.folder, "cmsis-pack"))
    for element in root.iter():
        if element.tag not in ELEMENTS or (element.tag == "component" and not len(element)):
            continue
        attributes, children = ELEMENTS[element.tag]
        assert {name for name, required in attributes.items() if required} <= set(element.attrib) <= set(attributes)
        tags = [child.tag for child in element]
        assert {name for name, required in children.items() if required} <= set(tags) <= set(children), element.tag
    vendor, name = text_of(root.find("vendor")), text_of(root.find("name"))
    assert all(re.fullmatch(r"[\-_A-Za-z0-9]+", part) for part in (vendor, name))
    assert path.name == f"{vendor}.{name}.pdsc"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", release.attrib["version"]) for release in root.iter("release"))
    assert 1 <= len(text_of(root.find("description"))) <= 256
    assert re.fullmatch(r"https?://\S+", text_of(root.find("url")))


def test_the_component_lists_every_source_and_only_what_exists(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "cmsis-pack")
    _, root = pack(library)
    (component,) = root.findall("components/component")
    assert set(component.attrib) == {"Cclass", "Cgroup", "Csub", "Cversion", "condition"}
    assert ID_PART.fullmatch(component.attrib["Cclass"])
    assert ID_PART.fullmatch(component.attrib["Cgroup"])
    assert SUB.fullmatch(component.attrib["Csub"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", component.attrib["Cversion"])
    files = component.findall("files/file")
    for file in files:
        assert file.attrib["category"] in ("doc", "header", "include", "source")
        assert file.attrib.get("attr", "template") == "template"
        place = library / file.attrib["name"]
        assert place.is_dir() if file.attrib["category"] == "include" else place.is_file()
    sources = {library / f.attrib["name"] for f in files if f.attrib["category"] == "source" and "attr" not in f.attrib}
    assert sources == set(library.glob("src/**/*.c"))
    assert (library / text_of(root.find("license"))).is_file()


def test_conditions_name_cores_that_can_run_the_kernels(firmware: Firmware, export: Export) -> None:
    _, root = pack(export(firmware.folder, "cmsis-pack"))
    conditions = {c.attrib["id"]: c for c in root.findall("conditions/condition")}
    used = {e.attrib["condition"] for e in root.iter() if "condition" in e.attrib}
    assert used <= set(conditions), "every condition that is used is defined"
    accepted = [accept.attrib for accept in conditions["cores"].findall("accept")]
    assert {core["Dcore"] for core in accepted} <= CORES
    assert all(core.get("Ddsp", "DSP") == "DSP" for core in accepted)
    without_dsp = {"Cortex-M0", "Cortex-M0+", "Cortex-M23", "Cortex-M3"} & {core["Dcore"] for core in accepted}
    assert bool(without_dsp) != firmware.name.endswith("_dsp")
    assert [r.attrib for r in conditions["cores"].findall("require")] == [{"Dendian": "Little-endian"}]
    compilers = {accept.attrib["Tcompiler"] for accept in conditions["compilers"].findall("accept")}
    assert compilers == {"GCC", "CLANG", "ARMCC"}


def test_the_example_is_a_csolution_with_this_pack(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "cmsis-pack")
    _, root = pack(library)
    (example,) = root.findall("examples/example")
    folder = library / example.attrib["folder"]
    assert (folder / example.attrib["doc"]).is_file()
    environment = example.find("project/environment")
    assert environment is not None
    assert environment.attrib["name"] == "csolution"
    solution = yaml.safe_load((folder / environment.attrib["load"]).read_text())["solution"]
    name, version = text_of(root.find("name")), root.findall("releases/release")[0].attrib["version"]
    assert {"pack": f"edgesparse::{name}@{version}"} in solution["packs"]
    (project,) = solution["projects"]
    content = yaml.safe_load((folder / project["project"]).read_text())["project"]
    assert all((folder / file["file"]).is_file() for group in content["groups"] for file in group["files"])
    (component,) = root.findall("components/component")
    identity = ":".join(component.attrib[part] for part in ("Cclass", "Cgroup", "Csub"))
    assert {"component": f"edgesparse::{identity}"} in content["components"]


def test_the_example_runs(firmware: Firmware, export: Export, host_gcc: str, tmp_path: Path) -> None:
    library = export(firmware.folder, "cmsis-pack")
    objects = compile_sources(library, tmp_path, "-O2", *WARNINGS)
    main = library / "examples" / "run_model" / "main.c"
    run(host_gcc, "-O2", *WARNINGS, f"-I{library / 'src'}", main, *objects, "-o", tmp_path / "main")
    run(tmp_path / "main", ok=int(np.argmax(firmware.output_of_zeros())))
