"""The command: what is refused, what is replaced, what is the same in every format."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import edgesparse
from edgesparse.commands.export import export as export_command
from edgesparse.errors import InputError, OutputError, SettingsError
from edgesparse.export import FORMATS as ALL_FORMATS
from edgesparse.export.library import _semantic_version
from edgesparse.firmware import LICENCES
from edgesparse.report.sbom import SBOM_NAME
from tests.cli.test_cli import run as run_command
from tests.core.test_licences import unlicensed
from tests.export.conftest import FORMATS, Firmware
from tests.support.c_style import clang_format
from tests.support.cyclonedx import schema_error

Export = Callable[[Path, str], Path]
ROOT = Path(edgesparse.__file__).parent.parent


@pytest.fixture
def copied(dsp_folder: Path, tmp_path: Path) -> Path:
    """A copy of an output folder, to damage."""
    shutil.copytree(dsp_folder, tmp_path / "out")
    return tmp_path / "out"


def edit_report(folder: Path, **parts: object) -> None:
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(report | parts))


def test_all_formats_are_tested() -> None:
    assert tuple(ALL_FORMATS) == FORMATS


@pytest.mark.parametrize("format", FORMATS)
def test_sources_are_the_projects_own(firmware: Firmware, format: str, export: Export) -> None:
    library = export(firmware.folder, format)
    places = [firmware.folder / "firmware" / part for part in ("model", "kernels", "kernels/include")]
    copies = sorted((library / "src" / firmware.name).iterdir())
    own = {f"{firmware.prefix}{end}" for end in (".c", ".h", "_weights.c", "_weights.h")}
    assert own | {"es_types.h", "es_real.h"} <= {path.name for path in copies}
    for path in copies:
        if path.name == "es_names.h":  # of the library
            continue
        (original,) = (place / path.name for place in places if (place / path.name).is_file())
        assert path.read_bytes() == original.read_bytes()
    kernels = {path.name for path in places[1].glob("*.c")}
    assert kernels <= {path.name for path in copies}, "every kernel of the project"
    assert not {"harness.c", "startup.c", "vectors.c", "vectors.h", "memory.c"} & {path.name for path in copies}
    assert [path.name for path in (library / "src").iterdir() if path.is_file()] == [f"{firmware.name}.h"]


@pytest.mark.parametrize("format", FORMATS)
def test_the_licence_and_the_figures_come_with_it(firmware: Firmware, format: str, export: Export) -> None:
    library = export(firmware.folder, format)
    assert (library / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    for name in LICENCES:
        assert (library / name).read_bytes() == (firmware.folder / "firmware" / name).read_bytes()
    assert not unlicensed(library)
    assert schema_error(library / SBOM_NAME) is None
    bill = json.loads((library / SBOM_NAME).read_text())
    listed = {file["name"] for part in bill["components"] for file in part.get("components", ())}
    assert listed == {p.relative_to(library).as_posix() for p in (library / "src").rglob("*") if p.is_file()}
    report = json.loads((firmware.folder / "report.json").read_text())
    text = (library / "README.md").read_text()
    for figure in ("weight_bytes", "table_bytes", "code_bytes", "arena_bytes", "stack_bytes"):
        assert f"| {report['sparse'][figure]} |" in text
    assert report["board"]["core"] in text
    assert ("ES_ANY_CORE" in text) == firmware.name.endswith("_dsp")
    if not firmware.name.endswith("_float"):
        assert "| input | 1 x 8 x 8 x 4 | `int8_t` | 5.0e-02 | 3 |" in text
        assert "| output | 1 x 10 | `int8_t` | 3.90625e-03 | -128 |" in text
    origin = json.loads((library / "edgesparse.json").read_text())
    assert origin["format"] == format
    assert origin["source_sha256"] == report["source"]["sha256"]


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_folder_gives_the_same_bytes_anywhere(dsp_folder: Path, format: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    places = [tmp_path / "a", tmp_path / "elsewhere" / "b"]
    for place in places:
        export_command(dsp_folder, format=format, out=place)
    first, second = ({str(p.relative_to(d)): p.read_bytes() for p in d.rglob("*") if p.is_file()} for d in places)
    assert first == second
    assert not [name for name, data in first.items() if str(tmp_path).encode() in data]
    assert all(data.endswith(b"\n") and b"\r" not in data for data in first.values())


@pytest.mark.parametrize("format", FORMATS)
def test_c_of_the_examples_is_formatted_as_ours(dsp_folder: Path, format: str, export: Export, tmp_path: Path) -> None:
    library = export(dsp_folder, format)
    shutil.copyfile(ROOT / ".clang-format", tmp_path / ".clang-format")
    sources = [path for folder in ("examples", "samples") for path in (library / folder).rglob("*.c")]
    tool = clang_format()
    for source in sources:
        subprocess.run([tool, "--dry-run", "--Werror", source], check=True, capture_output=True)


def test_a_library_of_ours_is_replaced_as_a_whole(dsp_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "library"
    export_command(dsp_folder, format="arduino", out=out)
    export_command(dsp_folder, format="zephyr", out=out)
    assert not (out / "library.properties").exists()
    assert (out / "zephyr" / "module.yml").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["library"]


def test_a_foreign_folder_is_refused_without_force(dsp_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sketch.ino").write_text("weeks of work")
    with pytest.raises(OutputError, match="--force"):
        export_command(dsp_folder, format="arduino", out=tmp_path / "mine")
    assert (tmp_path / "mine" / "sketch.ino").exists()
    export_command(dsp_folder, format="arduino", out=tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "library.properties").exists()


@pytest.mark.parametrize("place", [".", "firmware", "new", ".."])
def test_the_exported_folder_itself_is_never_written(copied: Path, place: str) -> None:
    before = sorted(str(path) for path in copied.rglob("*"))
    with pytest.raises(OutputError, match="beside it"):
        export_command(copied, format="cmake", out=copied / place, force=True)
    assert sorted(str(path) for path in copied.rglob("*")) == before


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"report\.json"):
        export_command(tmp_path, format="cmake", out=tmp_path / "x")


def test_an_unknown_format_lists_the_known_ones(dsp_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="arduino, zephyr, platformio, cmake, cmsis-pack"):
        export_command(dsp_folder, format="mbed", out=tmp_path / "x")


def test_another_runtime_than_aot_is_refused(copied: Path, tmp_path: Path) -> None:
    edit_report(copied, settings={"runtime": "tflm"})
    with pytest.raises(SettingsError, match="tflm"):
        export_command(copied, format="cmake", out=tmp_path / "x")


def test_what_is_missing_or_damaged_is_named(copied: Path, tmp_path: Path) -> None:
    project = copied / "firmware"
    (project / "model" / "net.h").rename(tmp_path / "net.h")
    with pytest.raises(InputError, match=r"net\.h: no such file; run edgesparse convert again"):
        export_command(copied, format="cmake", out=tmp_path / "x")
    (tmp_path / "net.h").rename(project / "model" / "net.h")
    (project / "kernels" / "include" / "es_real.h").rename(tmp_path / "es_real.h")
    with pytest.raises(InputError, match=r"es_real\.h"):
        export_command(copied, format="cmake", out=tmp_path / "x")
    (tmp_path / "es_real.h").rename(project / "kernels" / "include" / "es_real.h")
    for parts in ({"sparse": {}}, {"source": "x"}, {"board": {"name": "b", "core": "z80"}}):
        report = (copied / "report.json").read_text()
        edit_report(copied, **parts)
        with pytest.raises(OutputError, match="damaged"):
            export_command(copied, format="cmake", out=tmp_path / "x")
        (copied / "report.json").write_text(report)
    (project / "model" / "net_weights.c").unlink()
    with pytest.raises(InputError, match=r"net_weights\.c"):
        export_command(copied, format="cmake", out=tmp_path / "x")
    (copied / "model.int8.tflite").unlink()
    with pytest.raises(InputError, match=r"model\.int8\.tflite: no such file"):
        export_command(copied, format="cmake", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_figures_that_were_not_measured_are_said_to_be_so(copied: Path, export: Export) -> None:
    report = json.loads((copied / "report.json").read_text())
    report["sparse"]["stack_bytes"] = {"unavailable": "built again since; run edgesparse emulate"}
    (copied / "report.json").write_text(json.dumps(report))
    assert "| RAM: stack | not measured |" in (export(copied, "cmake") / "README.md").read_text()


@pytest.mark.parametrize(
    ("version", "semantic"), [("0.1.0", "0.1.0"), ("1.2", "1.2.0"), ("0.3.dev4+g12ab", "0.3.0"), ("1.2.3rc1", "1.2.3")]
)
def test_versions_are_semantic(version: str, semantic: str) -> None:
    assert _semantic_version(version) == semantic


def test_the_command_writes_beside_the_user_and_prints_where(dsp_folder: Path, tmp_path: Path) -> None:
    done = run_command("export", dsp_folder, "--format", "platformio", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "edgesparse_net.platformio: edgesparse_net 0.1.0 for platformio; its README.md says how to use it\n"
    )
    again = run_command("export", dsp_folder, "--format", "platformio", "--json", folder=tmp_path)
    assert json.loads(again.stdout) == json.loads((tmp_path / "edgesparse_net.platformio/edgesparse.json").read_text())
    for arguments, expected in {
        ("export", str(dsp_folder)): "--format",
        ("export", str(dsp_folder), "--format", "mbed"): "mbed",
        ("export", str(tmp_path), "--format", "cmake"): "report.json",
    }.items():
        refused = run_command(*arguments, folder=tmp_path)
        assert refused.returncode == 2
        assert expected in refused.stderr.splitlines()[-1]
        assert "Traceback" not in refused.stderr
