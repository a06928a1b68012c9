"""The PlatformIO library: rules of library.json, and the program for the host compiled and run."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.export.conftest import Firmware, compile_sources, run
from tests.support.c_style import WARNINGS

Export = Callable[[Path, str], Path]

FIELDS = {
    "$schema", "name", "version", "description", "keywords", "homepage", "repository", "authors", "license",
    "frameworks", "platforms", "headers", "examples", "dependencies", "export", "scripts", "build",
}  # fmt: skip
BUILD_FIELDS = {
    "flags", "unflags", "includeDir", "srcDir", "srcFilter", "extraScript", "libArchive", "libLDFMode", "libCompatMode",
}  # fmt: skip


def test_library_json_obeys_the_manifest_rules(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "platformio")
    manifest = json.loads((library / "library.json").read_text())
    assert set(manifest) <= FIELDS
    assert re.fullmatch(r"[^:;/,@<>]{1,100}", manifest["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert len(manifest["version"]) <= 50
    assert 1 <= len(manifest["description"]) <= 1000
    assert all(re.fullmatch(r"[a-z\d\-_+. ]{1,50}", word) for word in manifest["keywords"])
    assert all(1 <= len(author["name"]) <= 100 for author in manifest["authors"])
    assert manifest["license"] == "Apache-2.0", "an SPDX identifier"
    for field in ("frameworks", "platforms"):
        assert re.fullmatch(r"[a-z\d\-_]+|\*", manifest[field])
    assert set(manifest["build"]) <= BUILD_FIELDS
    assert (library / manifest["build"]["srcDir"] / manifest["headers"]).is_file()


def test_examples_are_listed_with_their_files(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "platformio")
    examples = json.loads((library / "library.json").read_text())["examples"]
    listed = {library / example["base"] / name for example in examples for name in example["files"]}
    assert listed == {path for path in (library / "examples").rglob("*") if path.is_file()}
    assert all(re.fullmatch(r"[a-zA-Z\d\-_/. ]{1,255}", example["name"]) for example in examples)
    ini = configparser.ConfigParser()
    ini.read(library / "examples" / "host" / "platformio.ini")
    assert ini.sections() == ["env:native"]
    assert (
        library / "examples" / "host" / ini["env:native"]["lib_deps"].removeprefix("symlink://")
    ).resolve() == library


def test_the_program_for_the_host_runs(firmware: Firmware, export: Export, host_gcc: str, tmp_path: Path) -> None:
    library = export(firmware.folder, "platformio")
    flags = json.loads((library / "library.json").read_text())["build"]["flags"]
    objects = compile_sources(library, tmp_path, "-O2", *flags, *WARNINGS)
    main = library / "examples" / "host" / "src" / "main.c"
    run(host_gcc, "-O2", *WARNINGS, f"-I{library / 'src'}", main, *objects, "-o", tmp_path / "main")
    firmware.inputs[1].tofile(tmp_path / "input.bin")
    *lines, last = run(tmp_path / "main", tmp_path / "input.bin").splitlines()
    expected = firmware.outputs[1].ravel()
    np.testing.assert_allclose([float(line.split()[0]) for line in lines], expected, atol=1e-6)
    assert last == f"largest: output {np.argmax(expected)}"
