"""The command line: parse, call the pipeline, print. Results go to stdout, progress and logs to stderr."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from edgesparse.errors import BuildError, EdgesparseError, LimitError, ResourceError, printable
from edgesparse.system import interrupts, supervise
from edgesparse.system.interrupts import InterruptedBySignal
from edgesparse.system.scratch import remove_left
from edgesparse.system.supervise import Ended

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    from edgesparse.record import Json
    from edgesparse.report.report import Report
    from edgesparse.report.show.junit import Case
    from edgesparse.result import BudgetRow

__all__ = ["cli", "main", "start"]

Command = TypeVar("Command", bound=Callable[..., Any])

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)
"""What the machine is short of, wherever that shows; any other OSError that gets here is a bug."""
_NOT_LOADED = ("failed to map segment", "annot allocate memory")
"""Words of the dynamic loader for want of memory."""


def start() -> NoReturn:
    """The `edgesparse` program: main() in a child process, so that somebody can tell how it ended if it was killed."""
    ended = supervise.supervise()
    if ended is not None:
        sys.exit(_after(ended))
    interrupts.install()
    code = 1  # of a bug, which Python prints
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        raise
    finally:
        interrupts.ignore()
        supervise.farewell(code)


def main() -> NoReturn:
    """The command, in this process.

    Exits with 0, with the code of an error (errors.py), or with 128 and the number of the signal that ended it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names come from files, in any encoding
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        code = _interrupted(error)
    except click.ClickException as error:
        _complain(error.format_message())
        code = 2
    except BuildError as error:
        click.echo(printable(error.log), err=True)
        _complain(str(error))
        code = error.exit_code
    except LimitError as error:
        for line in error.lines:
            _complain(line)
        code = error.exit_code
    except EdgesparseError as error:
        _complain(str(error))
        code = error.exit_code
    except BrokenPipeError:
        code = 0
    except MemoryError as error:
        _complain(
            f"no memory left: {str(error) or 'the system gives no more'}; use a machine with more, or a smaller model"
        )
        code = ResourceError.exit_code
    except ImportError as error:
        if not any(word in str(error) for word in _NOT_LOADED):
            raise
        _complain(f"no memory left to load a library: {error}; use a machine with more")
        code = ResourceError.exit_code
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        _complain(f"{where}{error.strerror}; nothing was written. Make room, or set TMPDIR to a folder that has some")
        code = ResourceError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted(error: BaseException) -> int:
    cause = error.__cause__ if isinstance(error, click.Abort) else error
    number = cause.number if isinstance(cause, InterruptedBySignal) else signal.SIGINT
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    kept = cause.kept if isinstance(cause, InterruptedBySignal) else ""
    _complain(f"{how}; {kept or 'no output was written. The same command again goes on with training where it was'}")
    return 128 + number


def _after(ended: Ended) -> int:
    """The exit code, after what a command that was killed could not do itself."""
    if ended.whole:
        return ended.code
    from edgesparse.output import clear_up

    for out in ended.noted:
        clear_up(out)
    remove_left(Path(tempfile.gettempdir()))
    if ended.signal in interrupts.SIGNALS:  # before it could say so itself
        return _interrupted(InterruptedBySignal(ended.signal))
    how = f"killed by {signal.Signals(ended.signal).name}" if ended.signal else f"ended by a library, code {ended.code}"
    _complain(
        f"{how}: memory ran out, or the library failed on this model; no output was written. "
        "Use a machine with more memory, or a smaller model"
    )
    return ResourceError.exit_code


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="edgesparse")
def cli() -> None:
    """Sparse int8 neural networks for microcontrollers: prune, quantize, pack, build, prove."""


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def apply(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return apply


_out = click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Output folder.  [default: ./<stem>.edgesparse]"
)
_force = click.option("--force", is_flag=True, help="Replace an output folder that edgesparse did not write.")
_config = click.option(
    "--config", type=click.Path(path_type=Path), help="An edgesparse.toml with the same names as these options."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the object of report.json to stdout, nothing else.")
_verbose = click.option("-v", "--verbose", is_flag=True, help="Keep every progress line on stderr.")
_board = click.option("--board", help="Target board, see `edgesparse boards`.  [default: mps2-an386]")
_runtime = click.option("--runtime", help="aot, or tflm (needs TFLM_DIR).  [default: aot]")
_toolchain = click.option("--toolchain", help="auto, gcc or zig.  [default: auto, which prefers gcc]")
_emulator = _options(
    click.option("--emulator", help="unicorn or qemu.  [default: unicorn]"),
    click.option(
        "--memory-profile",
        help="Estimate the memory waits of a part too, see docs/timing.md.  [default: the board's own]",
    ),
)
_weights = click.option(
    "--weights", help="flash or sram: where kernels read weights; sram copies them at start-up.  [default: flash]"
)
_optimize = click.option("--optimize", help="latency or flash: what weight formats are chosen for.  [default: latency]")
_mobile_optimize = click.option(
    "--mobile-optimize", help="size or latency: how model.sparse.tflite stores weights.  [default: size]"
)
_keep_metadata = click.option(
    "--keep-metadata", is_flag=True, default=None, help="Leave names, metadata and signatures in the .tflite files."
)
_tflm_max_arena = click.option(
    "--tflm-max-arena",
    type=int,
    metavar="BYTES",
    help="Keep tensors of model.tflm.tflite dense until its activations and decoded weights fit.  [default: no limit]",
)
_vectors = click.option("--vectors", type=int, help="Inputs to run on the device and compare.  [default: 8]")
_seed = click.option("--seed", type=int, help="Of synthetic inputs, chosen samples and training.  [default: 0]")
_budget = _options(
    click.option(
        "--budget",
        metavar="NAME=LIMIT,...",
        help="flash, weights, ram, arena (96K), instructions, cycles, latency (20ms), accuracy-drop (1pt), "
        "agreement (0.95); exit 3 where a limit is exceeded.",
    ),
    click.option("--junit", type=click.Path(path_type=Path), help="Write the budgets to this file as JUnit XML."),
)
_unsafe = click.option("--unsafe", is_flag=True, help="Run code from the model file, such as Lambda layers.")

_build_options = _options(
    _board,
    _runtime,
    _toolchain,
    _emulator,
    _weights,
    _optimize,
    _mobile_optimize,
    _keep_metadata,
    _tflm_max_arena,
    _vectors,
    _seed,
)
_target_options = _options(
    _build_options,
    _budget,
    _config,
    _out,
    _force,
    _json,
    _verbose,
)


_quantize_options = _options(
    click.option("--mobile-dtype", help="int8 or float32: the weights of model.sparse.tflite.  [default: int8]"),
    click.option(
        "--quantize",
        help="ptq, or qat: train on --data under fake quantization, pruned weights stay zero.  [default: ptq]",
    ),
    click.option("--dense-per-channel", is_flag=True, default=None, help="One scale per output of a Dense layer."),
    click.option(
        "--correct/--no-correct",
        default=None,
        help="Equalize channels and correct biases of int8 models where samples say that it helps.  [default: correct]",
    ),
)
_data = click.option(
    "--data",
    help=".npz with x (and y, x_test, y_test), .npy, a folder of .npz or .tfrecord shards, or package.module:function.",
)
_training_options = _options(
    click.option(
        "--epochs",
        type=int,
        help="Passes over the data for methods that train; as many again for --quantize qat.  [default: 10]",
    ),
    click.option("--labels/--no-labels", default=None, help="Whether training uses y.  [default: labels]"),
    click.option(
        "--distill/--no-distill",
        default=None,
        help="Whether training learns from the unpruned model.  [default: distill]",
    ),
    click.option("--schedule", help="polynomial or constant: how the zeros of gradual grow.  [default: polynomial]"),
    click.option(
        "--activity-l1",
        type=float,
        metavar="STRENGTH",
        help="Train for more zeros in activations: L1 penalty on the outputs of ReLUs.  [default: 0]",
    ),
    click.option(
        "--cluster",
        type=int,
        metavar="N",
        help="Let the weights of a layer share at most N values, 3 to 256, zero among them.  [default: 0, any number]",
    ),
)

_sparsify_options = _options(
    _data,
    click.option(
        "--sparsity", type=float, help="Zeros / prunable weights, 0 to 0.99.  [default: 0.75, or as nm=N:M says]"
    ),
    click.option(
        "--pattern", help="auto, unstructured, block, block1x4, block2x4, block4x1, channel or nm=N:M.  [default: auto]"
    ),
    click.option(
        "--channels",
        type=float,
        metavar="SHARE",
        help="Remove whole channels first, until this share of the MACs is gone, 0 to 0.99.  [default: 0]",
    ),
    click.option(
        "--method",
        help="oneshot, magnitude, or one that trains on --data: finetune, gradual, l1, group-lasso, targeted-dropout.  "
        "[default: oneshot]",
    ),
    _training_options,
)


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@_sparsify_options
@_quantize_options
@_unsafe
@_target_options
def convert(
    model: Path,
    unsafe: bool,
    config: Path | None,
    out: Path | None,
    force: bool,
    junit: Path | None,
    as_json: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Turn a Keras model (.h5, .keras, SavedModel) into sparse int8 firmware, and measure it."""
    from edgesparse.commands.convert import convert as command

    settings = _settings(config, given)
    _check_junit(junit, settings)
    with _progress(verbose) as progress:
        report = command(model, out=out, force=force, unsafe=unsafe, progress=progress, **settings)
    _show(report, as_json)
    _check_budgets(report.budgets, junit)


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@_data
@click.option("--sparsity", metavar="LIST", help="Shares of zeros, as 0.5,0.75.  [default: 0.5,0.6,0.7,0.8,0.9]")
@click.option("--pattern", metavar="LIST", help="Patterns, as unstructured,block1x4,nm=2:4.  [default: auto]")
@click.option("--method", metavar="LIST", help="Methods, as oneshot,finetune.  [default: oneshot]")
@click.option("--channels", metavar="LIST", help="Shares of the MACs that whole channels take, as 0,0.3.  [default: 0]")
@_options(_training_options, _quantize_options, _unsafe, _build_options, _config)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for all of it.  [default: ./STEM.sweep]")
@_force
@click.option("--json", "as_json", is_flag=True, help="Print the object of sweep.json to stdout, nothing else.")
@_verbose
def sweep(
    model: Path,
    sparsity: str | None,
    pattern: str | None,
    method: str | None,
    channels: str | None,
    unsafe: bool,
    config: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Convert a Keras model once for every combination of lists, and say which are worth having."""
    from edgesparse.commands.sweep import sweep as command
    from edgesparse.report.show.tradeoff import tradeoff_table

    lists: dict[str, Any] = {
        name: _list(text, f"--{name}", kind)
        for name, text, kind in (
            ("sparsity", sparsity, float),
            ("pattern", pattern, str),
            ("method", method, str),
            ("channels", channels, float),
        )
        if text is not None
    }
    settings = _settings(config, given)
    for name in ("sparsity", "pattern", "method", "channels"):  # of edgesparse.toml: a list of one
        if name in settings:
            value = settings.pop(name)
            lists.setdefault(name, (value,))
    settings.pop("budget", None)
    with _progress(verbose) as progress:
        result = command(model, out=out, force=force, unsafe=unsafe, progress=progress, **lists, **settings)
    if as_json:
        _print_json(result.to_json())
    else:
        _print(tradeoff_table(result))


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@_sparsify_options
@_options(_unsafe, _board, _optimize, _seed, _config)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="A .h5 or .keras file.  [default: ./STEM.sparse.h5]")
@click.option("--force", is_flag=True, help="Replace the file.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON to stdout, nothing else.")
@_verbose
def sparsify(
    model: Path,
    unsafe: bool,
    config: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Write a sparse copy of a Keras model, to train or deploy elsewhere."""
    from edgesparse.commands.sparsify import sparsify as command

    settings = _settings(config, given)
    with _progress(verbose) as progress:
        result = command(model, out=out, force=force, unsafe=unsafe, progress=progress, **settings)
    if as_json:
        _print_json(result.to_json())
    else:
        from edgesparse.report.show.sparsification import sparsification

        _print(sparsification(result))


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@_target_options
def firmware(
    model: Path,
    config: Path | None,
    out: Path | None,
    force: bool,
    junit: Path | None,
    as_json: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Turn an int8 .tflite into firmware, weights as they are, and measure it."""
    from edgesparse.commands.firmware import firmware as command

    settings = _settings(config, given)
    _check_junit(junit, settings)
    with _progress(verbose) as progress:
        report = command(model, out=out, force=force, progress=progress, **settings)
    _show(report, as_json)
    _check_budgets(report.budgets, junit)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_options(_toolchain, _json, _verbose)
def build(folder: Path, toolchain: str | None, as_json: bool, verbose: bool) -> None:
    """Compile the firmware and its dense twin again."""
    from edgesparse.commands.build import build as command

    with _progress(verbose) as progress:
        report = command(folder, toolchain=toolchain, progress=progress)
    _show(report, as_json)
    _check_budgets(report.budgets, None, only_measured=True)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_options(_emulator, _toolchain, _budget)
@click.option(
    "--data",
    help="Run these samples too: .npz with x (and y, x_test, y_test), .npy, a folder of shards, or module:function.",
)
@click.option("--samples", type=int, metavar="N", help="Run the first N samples of --data only.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="The Keras file that DIR was made from: compare --data with it."
)
@click.option("--profile", is_flag=True, help="Show where the cycles go: layers, functions, hot blocks of code.")
@_options(_json, _verbose)
def emulate(
    folder: Path,
    emulator: str | None,
    toolchain: str | None,
    memory_profile: str | None,
    data: str | None,
    samples: int | None,
    model: Path | None,
    budget: str | None,
    junit: Path | None,
    profile: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Run the firmware and its dense twin on the emulated board, and compare with the reference."""
    from edgesparse.commands.emulate import emulate as command

    _check_junit(junit)
    with _progress(verbose) as progress:
        report = command(
            folder,
            emulator=emulator,
            toolchain=toolchain,
            memory_profile=memory_profile,
            budget=budget,
            profile=profile,
            data=data,
            samples=samples,
            model=model,
            progress=progress,
        )
    _show(report, as_json)
    _check_budgets(report.budgets, junit)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_json
def report(folder: Path, as_json: bool) -> None:
    """Write report.html of DIR again, from its report.json, and print the summary."""
    from edgesparse.commands.report import report as command

    _show(command(folder), as_json)


@cli.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--tolerance", default="1%", show_default=True, help="Of flash, RAM, instructions: a share of OLD.")
@click.option("--accuracy-tolerance", default="0.5pt", show_default=True, help="Of accuracy, in percentage points.")
@click.option("--any-board", is_flag=True, help="Compare reports of different boards.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the figures to this file as JUnit XML.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON to stdout, nothing else.")
def compare(
    old: Path, new: Path, tolerance: str, accuracy_tolerance: str, any_board: bool, junit: Path | None, as_json: bool
) -> None:
    """Compare two reports (folders or report.json); exit 3 where NEW is worse than tolerated."""
    from edgesparse.commands.compare import compare as command
    from edgesparse.report.show.junit import comparison_cases
    from edgesparse.report.show.terminal import comparison_parts

    _check_junit(junit)
    result = command(old, new, tolerance=tolerance, accuracy_tolerance=accuracy_tolerance, any_board=any_board)
    if as_json:
        _print_json(result.to_json())
    else:
        _print(comparison_parts(result))
    if junit is not None:
        _write_junit(junit, "edgesparse.compare", comparison_cases(result))
    if result.regressions:
        raise LimitError(tuple(figure.describe() for figure in result.regressions))


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--probe", help="pyocd, openocd, st-flash or gdb.  [default: the board's, see `edgesparse boards`]")
@click.option("--probe-id", help="Serial number, where several probes are connected.")
@click.option("--gdb-port", metavar="HOST:PORT", help="A gdb server that is running.  [default: localhost:3333]")
@click.option("--dense", is_flag=True, help="Program the dense twin instead.")
@click.option("--dry-run", is_flag=True, help="Build, print what would be run, and stop.")
@_options(_json, _verbose)
def flash(
    folder: Path,
    probe: str | None,
    probe_id: str | None,
    gdb_port: str | None,
    dense: bool,
    dry_run: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Program a real board, and read the same figures from it."""
    from edgesparse.commands.flash import flash as command

    with _progress(verbose) as progress:
        report, run = command(
            folder,
            probe=probe,
            probe_id=probe_id,
            gdb_port=gdb_port,
            dense=dense,
            dry_run=dry_run,
            progress=progress,
        )
    if dry_run:
        for line in run.commands:
            click.echo(printable(line))
    else:
        _show(report, as_json)


@cli.command("bench-mobile")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of the interpreter.")
@click.option("--rounds", type=int, default=5, show_default=True, help="Processes per file and runtime.")
@click.option("--runs", type=int, default=50, show_default=True, help="Inferences per process.")
@_options(_json, _verbose)
def bench_mobile(folder: Path, threads: int, rounds: int, runs: int, as_json: bool, verbose: bool) -> None:
    """Measure model.sparse.tflite beside its dense twin on the runtimes that phones use."""
    from edgesparse.commands.bench_mobile import bench_mobile as command

    with _progress(verbose) as progress:
        result = command(folder, threads=threads, rounds=rounds, runs=runs, progress=progress)
    if as_json:
        _print_json(result.to_json())
    else:
        from edgesparse.report.show.mobile import phone_bench

        _print(phone_bench(result))


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--format", "format_", required=True, help="arduino, zephyr, platformio, cmake or cmsis-pack.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Output folder.  [default: ./<name>.<format>]")
@click.option("--json", "as_json", is_flag=True, help="Print the object of edgesparse.json to stdout, nothing else.")
@_force
def export(folder: Path, format_: str, out: Path | None, as_json: bool, force: bool) -> None:
    """Write the firmware of DIR as a library of the ecosystem that you flash from."""
    from edgesparse.commands.export import export as command

    result = command(folder, format=format_, out=out, force=force)
    if as_json:
        _print_json(result.to_json())
    else:
        place = out if out is not None else f"{result.name}.{format_}"
        click.echo(
            printable(f"{place}: {result.name} {result.version} for {format_}; its README.md says how to use it")
        )


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@_options(_unsafe, _json, _verbose)
def inspect(model: Path, unsafe: bool, as_json: bool, verbose: bool) -> None:
    """Show layers, shapes, MACs, zeros, and why each layer can or cannot gain."""
    from edgesparse.commands.inspect import inspect as command

    with _progress(verbose) as progress:
        progress("reading the model")
        result = command(model, unsafe=unsafe)
    if as_json:
        _print_json(result.to_json())
    else:
        from edgesparse.report.show.terminal import inspection

        _print(inspection(result))


@cli.command()
@_json
def boards(as_json: bool) -> None:
    """List the boards."""
    from dataclasses import asdict

    from edgesparse.boards import board_names, load_board
    from edgesparse.report.show.terminal import board_table

    found = [load_board(name) for name in board_names()]
    if as_json:
        _print_json([{**asdict(board), "folder": None, "core": board.core.name} for board in found])
    else:
        _print([board_table(found)])


@cli.command()
@_json
def doctor(as_json: bool) -> None:
    """Say which tools are installed, and how to get those that are not."""
    from dataclasses import asdict

    from edgesparse.doctor import diagnose
    from edgesparse.report.show.terminal import doctor_table

    rows = diagnose()
    if as_json:
        _print_json([asdict(row) for row in rows])
    else:
        _print([doctor_table(rows)])


def _settings(config: Path | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration file says, then what the command line says."""
    from edgesparse.settings import read_config

    settings = read_config(config) if config is not None else {}
    return settings | {name: value for name, value in given.items() if value is not None}


def _list(text: str, option: str, kind: type) -> tuple[Any, ...]:
    """Values between commas."""
    from edgesparse.errors import SettingsError, shown

    try:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise SettingsError(f"{option}: expected numbers between commas, got {shown(text)}") from None


@contextmanager
def _progress(verbose: bool) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal; lines with --verbose or where stderr is no terminal."""
    from rich.console import Console
    from rich.markup import escape

    # TensorFlow is silenced by turning descriptor 2 away; a duplicate of it keeps progress visible meanwhile.
    with os.fdopen(os.dup(2), "w", buffering=1) as stream:
        console = Console(file=stream, highlight=False, soft_wrap=True)
        if verbose or not console.is_terminal:
            yield lambda text: console.print(printable(f"edgesparse: {text}"), markup=False)
            return
        with console.status("starting") as status:
            yield lambda text: status.update(escape(printable(text)))


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        _print_json(report.to_json())
        return
    from edgesparse.report.show.terminal import summary

    _print(summary(report))


def _check_junit(junit: Path | None, settings: Mapping[str, Any] | None = None) -> None:
    """Before anything is done: the JUnit file needs a folder, and budgets to speak of."""
    from edgesparse.errors import OutputError, SettingsError

    if junit is not None and not junit.absolute().parent.is_dir():
        raise OutputError(f"{junit.parent}: no such folder; create it, or choose another --junit")
    if junit is not None and settings is not None and settings.get("budget") is None:
        raise SettingsError("--junit lists the budgets; give --budget too")


def _check_budgets(budgets: Sequence[BudgetRow], junit: Path | None, *, only_measured: bool = False) -> None:
    """Write the JUnit file where one is wanted; LimitError with a line for every budget that is not kept.

    only_measured: but for those on figures that the command does not measure.
    """
    from edgesparse.report.budgets import describe_budget
    from edgesparse.report.show.figures import is_missing
    from edgesparse.report.show.junit import budget_cases

    if junit is not None:
        _write_junit(junit, "edgesparse.budgets", budget_cases(budgets))
    judged = [row for row in budgets if not (only_measured and is_missing(row.actual))]
    missed = tuple(describe_budget(row) for row in judged if not row.ok)
    if missed:
        raise LimitError(missed)


def _write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    import datetime

    from edgesparse.output import write_text
    from edgesparse.report.show.junit import render_junit

    write_text(path, render_junit(suite, cases, now=datetime.datetime.now(datetime.timezone.utc)))


def _print(parts: Sequence[RenderableType]) -> None:
    """Lines of text as they are, tables as wide as the terminal, or as they need where there is none."""
    from rich.console import Console
    from rich.text import Text

    # Names come from files that others made: `[red]` and `:dog:` are names too.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=160)
    for part in parts:
        console.print(_Printable(part), soft_wrap=isinstance(part, Text))


class _Printable:
    """What rich renders, without control characters in its texts: a terminal would obey those."""

    def __init__(self, part: RenderableType) -> None:
        self._part = part

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._part, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def _print_json(value: Json) -> None:
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def _complain(text: str) -> None:
    click.echo(f"edgesparse: error: {printable(' '.join(text.split()))}", err=True)
