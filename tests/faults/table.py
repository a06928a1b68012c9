"""The faults that are made to happen, one line each. docs/reliability.md has the same table."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from tests.faults.workplace import Workplace

__all__ = ["FAULTS", "Fault"]

FIRMWARE = ("firmware", "model.tflite", "--out", "out")
QEMU = (*FIRMWARE, "--emulator", "qemu")
EMULATE = ("emulate", "out")
CONVERT = ("convert", "model.h5", "--out", "out", "--sparsity", "0.5")

Prepare = Callable[[Workplace], AbstractContextManager[None] | None]


@dataclass(frozen=True)
class Fault:
    """What breaks, and how a command that meets it ends.

    before: whether there is an output already. says: a regular expression for the complaint.
    """

    name: str
    command: tuple[str, ...]
    prepare: Prepare
    code: int
    says: str
    before: bool = False


def full_disk(size: str) -> Prepare:
    @contextmanager
    def prepare(place: Workplace) -> Iterator[None]:
        work = place.folder / "work"
        model = (work / "model.tflite").read_bytes()
        with place.small_disk(work, f"size={size}"):
            (work / "model.tflite").write_bytes(model)
            yield

    return prepare


@contextmanager
def full_disk_later(place: Workplace) -> Iterator[None]:
    """There is an output already, and no room for another."""
    work = place.folder / "work"
    out = place.folder / "kept"
    shutil.copytree(place.out, out)
    with place.small_disk(work, "size=2000K"):
        shutil.copyfile(place.folder / "model.tflite", work / "model.tflite")
        shutil.copytree(out, place.out)
        yield


@contextmanager
def no_inodes(place: Workplace) -> Iterator[None]:
    work = place.folder / "work"
    with place.small_disk(work, "size=64M,nr_inodes=60"):
        shutil.copyfile(place.folder / "model.tflite", work / "model.tflite")
        yield


def full_temporary(size: str) -> Prepare:
    def prepare(place: Workplace) -> AbstractContextManager[None]:
        return place.small_disk(place.temporary, f"size={size}")

    return prepare


@contextmanager
def read_only(place: Workplace) -> Iterator[None]:
    work = place.folder / "work"
    with place.small_disk(work, "size=64M"):
        shutil.copyfile(place.folder / "model.tflite", work / "model.tflite")
        os.system(f"mount -o remount,ro {work}")
        yield


def tool(name: str, script: str) -> Prepare:
    return lambda place: place.tool(name, script)


def without(*names: str) -> Prepare:
    return lambda place: place.without(*names)


def patch(text: str, then: Prepare | None = None) -> Prepare:
    def prepare(place: Workplace) -> AbstractContextManager[None] | None:
        place.patch = text
        return then(place) if then is not None else None

    return prepare


def limit(kind: int, value: int, then: Prepare | None = None) -> Prepare:
    def prepare(place: Workplace) -> AbstractContextManager[None] | None:
        place.limits[kind] = value
        return then(place) if then is not None else None

    return prepare


def pipe(name: str) -> Prepare:
    def prepare(place: Workplace) -> None:
        path = place.folder / "work" / name
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return prepare


def damaged(name: str, data: bytes | None) -> Prepare:
    """data: in place of the file's; None cuts it in half."""

    def prepare(place: Workplace) -> None:
        path = place.out / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if data is None else data)

    return prepare


def not_executable(place: Workplace) -> None:
    place.without("arm-none-eabi-gcc")
    (place.tools / "arm-none-eabi-gcc").write_text("")


COMPILE = 'case "$*" in *" -c "*) %s;; esac; exec "$REAL" "$@"'
"""A compiler that does something else where it compiles."""
LINK = 'case "$*" in *firmware.elf*) %s;; esac; exec "$REAL" "$@"'
RUN = 'case "$*" in *-kernel*) %s;; esac; exec "$REAL" "$@"'
MAKE = 'case "$*" in *RUNTIME*) %s;; esac; exec "$REAL" "$@"'
FOREVER = "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done"
SHORT = "import edgesparse.{module} as m; m.{name} = {value}"
SHORT_MAKE = SHORT.format(module="toolchain.make", name="BUILD_TIMEOUT_S", value=3)
SHORT_RUN = SHORT.format(module="measure.runtimes", name="RUN_TIMEOUT_S", value=3)
KILL_ORACLE = """
import os, signal
import edgesparse.oracle.process as p
ask = p._Process._ask
def killed(self, request):
    os.kill(self._process.pid, {signal})
    return ask(self, request)
p._Process._ask = killed
"""
KILL_SELF = """
import os
import edgesparse.firmware.build as b
import edgesparse.measure.projects as p
p.write_build = lambda *_: os.kill(os.getpid(), {signal})
"""
EXIT = """
import ctypes
import edgesparse.measure.projects as p
p.write_build = lambda *_: ctypes.CDLL(None).exit(1)
"""
REMOVE = """
import shutil
import edgesparse.measure.projects as p
write = p.write_build
def removed(build, folder):
    write(build, folder)
    shutil.rmtree(folder)
p.write_build = removed
"""
NO_LOCKS = """
import errno, fcntl
def none(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = none
"""

FAULTS = (
    # Disks
    Fault("no room for the output at all", FIRMWARE, full_disk("40K"), 2, "out: cannot write.*No space left"),
    Fault("the disk fills while the project is written", FIRMWARE, full_disk("400K"), 2, "No space left on device"),
    Fault("the disk fills while make runs", FIRMWARE, full_disk("1000K"), 2, "No space left on device"),
    Fault(
        "the disk fills while a second output is written", FIRMWARE, full_disk_later, 2, "No space left", before=True
    ),
    Fault("no more files on the disk", FIRMWARE, no_inodes, 2, "No space left on device"),
    Fault("the output's disk is read-only", FIRMWARE, read_only, 2, "cannot write there.*Read-only|Read-only"),
    Fault("no room in the temporary folder", FIRMWARE, full_temporary("12K"), 6, "No space left on device.*TMPDIR"),
    Fault(
        "the output folder is removed meanwhile",
        FIRMWARE,
        patch(REMOVE),
        2,
        "out: cannot write the output: No such file",
    ),
    Fault("a disk without locks", FIRMWARE, patch(NO_LOCKS), 2, "out: cannot be locked: No locks available"),
    # Tools
    Fault("no make", FIRMWARE, without("make"), 4, "make not found; "),
    Fault(
        "no compiler", (*FIRMWARE, "--toolchain", "gcc"), without("arm-none-eabi-gcc"), 4, "no arm-none-eabi-gcc found"
    ),
    Fault(
        "a compiler that may not be executed",
        (*FIRMWARE, "--toolchain", "gcc"),
        not_executable,
        4,
        "no arm-none-eabi-gcc",
    ),
    Fault(
        "a compiler that is no program",
        FIRMWARE,
        tool("arm-none-eabi-gcc", "exit 1"),
        4,
        "does not run: it ended with code 1",
    ),
    Fault(
        "a compiler that never says its version",
        ("doctor",),
        patch(
            "import edgesparse.toolchain.compilers as c; c.VERSION_TIMEOUT_S = 2",
            tool("arm-none-eabi-gcc", "sleep 600"),
        ),
        4,
        "arm-none-eabi-gcc does not run: took over 2 s",
    ),
    Fault(
        "a compiler that never ends",
        FIRMWARE,
        patch(SHORT_MAKE, tool("arm-none-eabi-gcc", COMPILE % "sleep 600")),
        1,
        "make with gcc took over 3 s",
    ),
    Fault(
        "a compiler that never stops talking",
        FIRMWARE,
        tool("arm-none-eabi-gcc", COMPILE % FOREVER),
        1,
        "make with gcc printed over 64 MiB",
    ),
    Fault(
        "a compiler that is killed",
        FIRMWARE,
        tool("arm-none-eabi-gcc", COMPILE % "kill -KILL $$"),
        6,
        "a compiler was killed",
    ),
    Fault(
        "a compiler that fails",
        FIRMWARE,
        tool("arm-none-eabi-gcc", COMPILE % "echo 'x.c:1: error: no' >&2; exit 1"),
        1,
        "make with gcc failed: x.c:1: error: no",
    ),
    Fault(
        "a compiler that vanishes",
        FIRMWARE,
        tool("arm-none-eabi-gcc", COMPILE % 'rm "$0"; exit 127'),
        4,
        "arm-none-eabi-gcc does not run",
    ),
    Fault(
        "a linker that makes nothing",
        FIRMWARE,
        tool("arm-none-eabi-gcc", LINK % "exit 0"),
        1,
        "firmware.elf: not a readable ELF",
    ),
    Fault(
        "a linker that makes rubbish",
        FIRMWARE,
        tool("arm-none-eabi-gcc", LINK % 'for o; do case "$o" in *.elf) echo rubbish >"$o"; esac; done; exit 0'),
        1,
        "firmware.elf: not a readable ELF",
    ),
    Fault("make that is killed", FIRMWARE, tool("make", MAKE % "kill -KILL $$"), 6, "make was killed"),
    Fault(
        "make that never ends",
        FIRMWARE,
        patch(SHORT_MAKE, tool("make", MAKE % "sleep 600 & wait")),
        1,
        "make with gcc took over 3 s",
    ),
    # Emulators
    Fault("no QEMU", QEMU, without("qemu-system-arm"), 4, "emulator .qemu. is not installed"),
    Fault(
        "QEMU that does not start",
        QEMU,
        tool("qemu-system-arm", "exit 3"),
        4,
        "qemu-system-arm does not run: it ended with code 3",
    ),
    Fault(
        "QEMU that never ends",
        QEMU,
        patch(SHORT_RUN, tool("qemu-system-arm", RUN % "sleep 600")),
        5,
        "took over 3 s in QEMU",
    ),
    Fault(
        "QEMU that never stops talking", QEMU, tool("qemu-system-arm", RUN % FOREVER), 5, "printed over 64 MiB in QEMU"
    ),
    Fault("QEMU that is killed", QEMU, tool("qemu-system-arm", RUN % "kill -KILL $$"), 6, "qemu-system-arm was killed"),
    Fault(
        "QEMU that prints rubbish", QEMU, tool("qemu-system-arm", RUN % "head -c 100000 /dev/urandom; exit 0"), 5, "."
    ),
    Fault("QEMU that says nothing", QEMU, tool("qemu-system-arm", RUN % "exit 0"), 5, "."),
    # Processes of interpreters
    Fault(
        "the reference interpreter is killed",
        FIRMWARE,
        patch(KILL_ORACLE.format(signal=int(signal.SIGKILL))),
        6,
        "tflite-micro was killed",
    ),
    Fault(
        "the reference interpreter crashes on every file",
        FIRMWARE,
        patch(KILL_ORACLE.format(signal=int(signal.SIGSEGV))),
        2,
        "no reference interpreter runs the model.*code -11",
    ),
    Fault(
        "the reference interpreter hangs",
        FIRMWARE,
        patch(
            "import edgesparse.oracle.process as p; p._TIMEOUT_S = 1\n" + KILL_ORACLE.format(signal=int(signal.SIGSTOP))
        ),
        2,
        "no answer within 1 s",
    ),
    # Memory
    Fault("no memory to start with", FIRMWARE, limit(resource.RLIMIT_AS, 200 << 20), 6, "memory"),
    Fault(
        "no memory for the emulator",
        FIRMWARE,
        limit(resource.RLIMIT_AS, 1400 << 20),
        6,
        "the emulator needs 1,040 MiB of address space",
    ),
    Fault("no memory for TensorFlow", CONVERT, limit(resource.RLIMIT_AS, 1500 << 20), 6, "memory"),
    Fault("no more open files", FIRMWARE, limit(resource.RLIMIT_NOFILE, 14), 6, "Too many open files"),
    Fault(
        "the process is killed while it writes",
        FIRMWARE,
        patch(KILL_SELF.format(signal=int(signal.SIGKILL))),
        6,
        "killed by SIGKILL",
    ),
    Fault(
        "the process is killed while it writes a second output",
        FIRMWARE,
        patch(KILL_SELF.format(signal=int(signal.SIGKILL))),
        6,
        "killed by SIGKILL",
        before=True,
    ),
    Fault("a library aborts", FIRMWARE, patch(KILL_SELF.format(signal=int(signal.SIGABRT))), 6, "killed by SIGABRT"),
    Fault(
        "a library ends the process",
        FIRMWARE,
        patch(EXIT),
        6,
        "ended by a library, code 1",
    ),
    # Files
    Fault("a named pipe as a model", FIRMWARE, pipe("model.tflite"), 2, "model.tflite: .*is a named pipe"),
    Fault("a named pipe as a Keras model", CONVERT, pipe("model.h5"), 2, "model.h5: is a named pipe"),
    Fault(
        "a device as a model", ("firmware", "/dev/zero", "--out", "out"), lambda _: None, 2, "/dev/zero: .*is a device"
    ),
    Fault(
        "a named pipe as a configuration",
        (*CONVERT, "--config", "edgesparse.toml"),
        pipe("edgesparse.toml"),
        2,
        "edgesparse.toml: .*is a named pipe",
    ),
    Fault("a named pipe as data", (*CONVERT, "--data", "x.npz"), pipe("x.npz"), 2, "x.npz: .*is a named pipe"),
    Fault(
        "a named pipe as a report", EMULATE, pipe("out/report.json"), 2, "report.json: .*is a named pipe", before=True
    ),
    Fault("half a report", EMULATE, damaged("report.json", None), 2, "report.json: cannot be read", before=True),
    Fault("half a plan", EMULATE, damaged("plan/firmware.json", None), 2, "plan/firmware.json: ", before=True),
    Fault(
        "half of the plan's arrays",
        EMULATE,
        damaged("plan/firmware.npz", None),
        2,
        "plan/firmware.json: .*run edgesparse convert again",
        before=True,
    ),
    Fault(
        "an int8 model that was changed",
        EMULATE,
        damaged("model.int8.tflite", b"TFL3" * 100),
        2,
        "model.int8.tflite: ",
        before=True,
    ),
    Fault(
        "a Makefile that was removed",
        EMULATE,
        lambda place: (place.out / "firmware" / "Makefile").unlink(),
        2,
        "no firmware project",
        before=True,
    ),
    Fault(
        "C that was changed",
        EMULATE,
        damaged("firmware/main.c", b"int main(void) { return }"),
        1,
        "make with gcc failed: main.c",
        before=True,
    ),
)


def nothing(_: Workplace) -> AbstractContextManager[None]:
    return nullcontext()
