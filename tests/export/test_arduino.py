"""The Arduino library: rules of the library specification (revision 2.2), and the sketch compiled and run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.export.conftest import Firmware, compile_sources, need, run
from tests.support.c_style import WARNINGS

Export = Callable[[Path, str], Path]

# name: letters, digits, space, underscore, dot, dash; begins with a letter or digit; a letter somewhere; at most 63.
NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 _.\-]{0,62}")
SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
REQUIRED = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures")
OPTIONAL = ("depends", "dot_a_linkage", "includes", "precompiled", "ldflags")
CATEGORIES = {
    "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
    "Data Processing", "Other",
}  # fmt: skip
# What the Arduino core gives to a sketch, as far as the example needs it.
ARDUINO_H = """
#include <cstdint>
#include <cstdio>
struct Printer {
    void begin(unsigned long) {}
    void print(const char *text) { std::printf("%s", text); }
    void print(unsigned long value) { std::printf("%lu", value); }
    void print(unsigned value) { std::printf("%u", value); }
    void println(unsigned long value) { std::printf("%lu\\n", value); }
    void println(double value, int digits) { std::printf("%.*f\\n", digits, value); }
};
extern Printer Serial;
inline unsigned long micros() { return 7; }
inline void delay(unsigned long) {}
void setup();
void loop();
"""
MAIN = '#include "Arduino.h"\nPrinter Serial;\nint main() { setup(); loop(); return 0; }\n'


def properties(library: Path) -> dict[str, str]:
    pairs = [line.partition("=") for line in (library / "library.properties").read_text().splitlines()]
    assert all(equals for _, equals, _ in pairs)
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


def test_library_properties_obey_the_specification(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "arduino")
    fields = properties(library)
    assert set(REQUIRED) <= set(fields) <= {*REQUIRED, *OPTIONAL}
    assert all(value and value == value.strip() for value in fields.values())
    assert NAME.fullmatch(fields["name"])
    assert not any(fields[name].lower().startswith("arduino") for name in ("name", "maintainer"))
    assert SEMVER.fullmatch(fields["version"])
    assert fields["category"] in CATEGORIES
    assert re.fullmatch(r"https?://\S+", fields["url"])
    assert not fields["paragraph"].startswith(fields["sentence"])
    for header in fields["includes"].split(","):
        assert (library / "src" / header).is_file()


def test_folders_obey_the_specification(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "arduino")
    assert {path.name for path in library.iterdir()} == {
        "LICENSE", "LICENSING.md", "README.md", "edgesparse.files.json", "edgesparse.json", "examples", "keywords.txt",
        "library.properties", "sbom.cdx.json", "src",
    }  # fmt: skip
    assert not [path for path in library.rglob("*") if path.name.startswith(".") or path.is_symlink()]
    for sketch in (library / "examples").iterdir():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,62}", sketch.name)
        assert (sketch / f"{sketch.name}.ino").is_file(), "a sketch has the name of its folder"


def test_keywords_are_separated_by_one_tab_and_exist(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "arduino")
    words = [line.split("\t") for line in (library / "keywords.txt").read_text().splitlines()]
    assert words
    sources = library / "src" / firmware.name
    text = (sources / f"{firmware.prefix}.h").read_text() + (sources / "es_real.h").read_text()
    for word, kind in words:
        assert kind in ("KEYWORD1", "KEYWORD2", "LITERAL1")
        assert re.search(rf"\b{word}\b", text)


def test_the_sketch_prints_the_outputs_of_the_reference(firmware: Firmware, export: Export, tmp_path: Path) -> None:
    compiler = need("g++")
    library = export(firmware.folder, "arduino")
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    (tmp_path / "main.cpp").write_text(MAIN)
    sketch = library / "examples" / "run_model" / "run_model.ino"
    options = ("-std=gnu++11", "-Os", "-fno-exceptions", "-fno-rtti", "-DARDUINO=10607", *WARNINGS)
    command = (compiler, *options, f"-I{tmp_path}", f"-I{library / 'src'}")
    run(*command, "-include", "Arduino.h", "-x", "c++", "-c", sketch, "-o", "sketch.o", folder=tmp_path)
    objects = compile_sources(library, tmp_path, "-Os", "-DARDUINO=10607", *WARNINGS)
    run(*command, "main.cpp", "sketch.o", *objects, "-o", "main", folder=tmp_path)
    *lines, last = run(tmp_path / "main").splitlines()
    expected = firmware.output_of_zeros()
    scale, zero_point = (1.0, 0) if expected.dtype == np.float32 else (1 / 256, -128)
    np.testing.assert_allclose([float(line) for line in lines], (expected - np.float64(zero_point)) * scale, atol=2e-6)
    assert last == f"largest: output {np.argmax(expected)}, microseconds: 0"
