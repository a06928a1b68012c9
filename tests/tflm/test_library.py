"""Which TFLite Micro is linked, and what is said where it is missing or does not fit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgesparse.boards import CORES
from edgesparse.commands.firmware import firmware
from edgesparse.doctor import diagnose
from edgesparse.errors import BuildError, SettingsError, ToolMissingError
from edgesparse.settings import Settings
from edgesparse.tflm import find_library, library_arch
from edgesparse.toolchain import build, find
from tests.support.small_networks import conv_network

M4, M3 = CORES["cortex-m4"], CORES["cortex-m3"]
DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"
HARD_FLOAT = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")


def write_tree(root: Path, *, flags: tuple[str, ...] = HARD_FLOAT, place: str = ".", symbol: str = "f") -> Path:
    """The files of a TFLite Micro tree that are looked for, and a library of one function."""
    for name in (
        "tensorflow/lite/micro/micro_interpreter.h",
        f"{DOWNLOADS}/flatbuffers/include/flatbuffers/flatbuffers.h",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    (root / "f.c").write_text(f"float {symbol}(float x) {{ return x + 1; }}\n")
    subprocess.run(["arm-none-eabi-gcc", *flags, "-c", root / "f.c", "-o", root / "f.o"], check=True)
    archive = folder / "libtensorflow-microlite.a"
    subprocess.run(["arm-none-eabi-ar", "rc", archive, root / "f.o"], check=True)
    return archive


def test_an_unset_variable_is_named_with_how_to_get_the_library() -> None:
    with pytest.raises(ToolMissingError, match=r"TFLM_DIR is not set.*TARGET_ARCH=cortex-m4\+fp") as caught:
        find_library(M4, {})
    assert caught.value.exit_code == 4


def test_a_folder_without_headers_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match=r"TFLM_DIR=.* has no tensorflow/lite/micro/micro_interpreter\.h"):
        find_library(M4, {"TFLM_DIR": str(tmp_path)})


def test_a_tree_without_the_downloads_or_without_a_library_says_to_build_it(tmp_path: Path, gcc: str) -> None:
    write_tree(tmp_path, place="gen/cortex_m_generic_cortex-m3_release_cmsis_nn_gcc/lib")
    with pytest.raises(ToolMissingError, match=r"no libtensorflow-microlite\.a for cortex-m4\+fp"):
        find_library(M4, {"TFLM_DIR": str(tmp_path)})
    shutil.rmtree(tmp_path / DOWNLOADS)
    with pytest.raises(ToolMissingError, match=r"flatbuffers\.h"):
        find_library(M4, {"TFLM_DIR": str(tmp_path)})


def test_a_path_that_make_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="spaces"):
        find_library(M4, {"TFLM_DIR": str(tmp_path / "my tflm")})


def test_a_library_of_the_other_float_abi_is_refused(tmp_path: Path, gcc: str) -> None:
    write_tree(tmp_path, flags=("-mcpu=cortex-m3", "-mthumb"))
    assert find_library(M3, {"TFLM_DIR": str(tmp_path)})
    with pytest.raises(ToolMissingError, match="built for the soft-float ABI, cortex-m4 needs hard"):
        find_library(M4, {"TFLM_DIR": str(tmp_path)})


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, gcc: str) -> None:
    write_tree(tmp_path).write_bytes(b"!<arch>\nnonsense")
    with pytest.raises(ToolMissingError, match="not an archive of Arm objects"):
        find_library(M4, {"TFLM_DIR": str(tmp_path)})


def test_a_release_with_cmsis_nn_is_preferred(tmp_path: Path, gcc: str) -> None:
    for name in ("default_gcc", "default_cmsis_nn_gcc", "release_cmsis_nn_gcc", "release_gcc"):
        place = f"gen/cortex_m_generic_cortex-m4+fp_{name}/lib"
        write_tree(tmp_path, place=place, symbol="arm_convolve_s8" if "cmsis" in name else "f")
    found = find_library(M4, {"TFLM_DIR": str(tmp_path)})
    assert "release_cmsis_nn" in str(found.library)
    assert found.description == "TFLite Micro with CMSIS-NN"
    shutil.rmtree(tmp_path / "gen" / "cortex_m_generic_cortex-m4+fp_release_cmsis_nn_gcc")
    assert "default_cmsis_nn" in str(find_library(M4, {"TFLM_DIR": str(tmp_path)}).library)


def test_the_architecture_is_tflite_micros_name() -> None:
    names = {name: library_arch(CORES[name]) for name in ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33")}
    assert names == {
        "cortex-m0plus": "cortex-m0plus",
        "cortex-m3": "cortex-m3",
        "cortex-m4": "cortex-m4+fp",
        "cortex-m33": "cortex-m33",
    }


def test_nothing_is_written_where_the_library_is_missing(
    tmp_path: Path, gcc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFLM_DIR", raising=False)
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    with pytest.raises(ToolMissingError, match="TFLM_DIR"):
        firmware(model, out=tmp_path / "out", runtime="tflm")
    assert not (tmp_path / "out").exists()


def test_zig_and_unknown_runtimes_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    with pytest.raises(SettingsError, match="--toolchain gcc"):
        firmware(model, out=tmp_path / "out", runtime="tflm", toolchain="zig")
    with pytest.raises(SettingsError, match="runtime: expected one of aot, tflm"):
        Settings().updated({"runtime": "tflite"})


def test_the_report_says_why_there_is_no_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFLM_DIR", raising=False)
    model = tmp_path / "net.tflite"
    model.write_bytes(conv_network())
    report = firmware(model, out=tmp_path / "out", vectors=1)
    assert "TFLM_DIR" in report.baseline.reason


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered firmware project."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "net.tflite").write_bytes(conv_network())
    firmware(folder / "net.tflite", out=folder / "out", vectors=1)
    return folder / "out" / "firmware"


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ((), "set TFLM_DIR"),
        (("TFLM_DIR=/nowhere",), "no libtensorflow-microlite.a for cortex-m4+fp in TFLM_DIR=/nowhere"),
        (("TFLM_DIR=/nowhere", "TOOLCHAIN=zig"), "RUNTIME=tflm needs TOOLCHAIN=gcc"),
        (("RUNTIME=onnx",), "RUNTIME is aot or tflm"),
    ],
)
def test_make_itself_names_what_is_missing(project: Path, gcc: str, variables: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(BuildError) as caught:
        build(project, find("gcc"), M4, variables=("RUNTIME=tflm", *variables))
    assert complaint in str(caught.value)


def test_the_environment_does_not_leak_into_a_build(project: Path, gcc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME", "TFLM_DIR", "CXXFLAGS"):
        monkeypatch.setenv(name, "nonsense")
    assert build(project, find("gcc"), M4).arena_bytes > 0


def test_doctor_says_for_which_cores_the_library_was_built(
    tmp_path: Path, gcc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFLM_DIR", raising=False)
    row = next(row for row in diagnose() if row.tool == "TFLM_DIR")
    assert row.version is None
    assert "github.com/tensorflow/tflite-micro" in row.remedy
    write_tree(tmp_path, place="gen/cortex_m_generic_cortex-m4+fp_release_cmsis_nn_gcc/lib", symbol="arm_convolve_s8")
    monkeypatch.setenv("TFLM_DIR", str(tmp_path))
    row = next(row for row in diagnose() if row.tool == "TFLM_DIR")
    assert row.version == "cortex-m4+fp (CMSIS-NN)"
