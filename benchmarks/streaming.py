"""Whether data larger than memory fine-tunes within a bound: shards are made, trained on, and removed.

    python -m benchmarks.streaming [--gigabytes 5] [--kind npz|tfrecord] [--limit-gigabytes 2] [--folder DIR]

A process of its own runs `edgesparse sparsify --method finetune --epochs 1` on a small network and a folder of synthetic
shards with a test part. Printed are its time and its peak memory, TensorFlow included: the largest resident set of one
process (ru_maxrss), and the largest sum over all processes of the command at one time, sampled. Exit code: 0 within the
limit, 3 above it, 2 where there is no room for the shards, 1 where the command fails.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["Peak", "main", "make_shards", "peak_of"]

SHAPE = (32, 32, 3)
CLASSES = 10
_SHARD_SAMPLES = 8192
_TEST_SHARE = 0.05
_SPARE_BYTES = 1 << 30
_SAMPLED_EVERY_S = 0.2

_MODEL = """
import sys
from edgesparse.keras_model.backend import tf_keras
keras = tf_keras()
layers = keras.layers
keras.utils.set_random_seed(0)
keras.Sequential([
    keras.Input((32, 32, 3)),
    layers.Conv2D(8, 3, strides=2, activation="relu"),
    layers.Conv2D(16, 3, strides=2, activation="relu"),
    layers.Flatten(),
    layers.Dense(10, activation="softmax"),
]).save(sys.argv[1])
"""
_RECORDS = """
import sys
import numpy as np
from edgesparse.keras_model.backend import tensorflow
tf = tensorflow()
for path in sys.argv[1:]:
    arrays = np.load(path)
    with tf.io.TFRecordWriter(path.removesuffix("npz") + "tfrecord") as file:
        for x, y in zip(arrays["x"], arrays["y"]):
            features = {
                "x": tf.train.Feature(bytes_list=tf.train.BytesList(value=[x.tobytes()])),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[y])),
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
"""


class Peak:
    """Memory and time of a command, in bytes and seconds. together: of all its processes, sampled."""

    def __init__(self, largest: int, together: int, seconds: float) -> None:
        self.largest, self.together, self.seconds = largest, together, seconds


def make_shards(folder: Path, size: int, kind: str = "npz") -> int:
    """Write shards of about `size` bytes of float32 samples, some of them as a test part; how many samples there are.

    Noise, and a class that says how bright which third of the image is; the same for the same arguments.
    """
    samples = max(256, size // (4 * int(np.prod(SHAPE))))
    (folder / "test").mkdir(parents=True)
    for number, start in enumerate(range(0, samples, _SHARD_SAMPLES)):
        generator = np.random.default_rng(number)
        count = min(_SHARD_SAMPLES, samples - start)
        y = generator.integers(0, CLASSES, count)
        x = generator.standard_normal((count, *SHAPE), dtype=np.float32)
        x += (y / CLASSES).astype(np.float32)[:, None, None, None]
        held = int(_TEST_SHARE * count)
        for part, rows in ((folder, slice(held, None)), (folder / "test", slice(held))):
            path = part / f"part-{number:05}.npz"
            np.savez(path, x=x[rows], y=y[rows])
            if kind == "tfrecord":
                subprocess.run([sys.executable, "-c", _RECORDS, str(path)], check=True)
                path.unlink()
    return samples


def peak_of(command: Sequence[str]) -> tuple[int, Peak]:
    """Run a command to its end: its exit code, and what it took. Its output goes where ours goes."""
    start, together = time.monotonic(), 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            together = max(together, _resident(process.pid))
            time.sleep(_SAMPLED_EVERY_S)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return process.returncode, Peak(largest, together, time.monotonic() - start)


def _resident(root: int) -> int:
    """Bytes in memory of a process and all that it started, pages that they share counted for each."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
                parents[int(entry.name)] = int(status["PPid"])
                sizes[int(entry.name)] = int(status.get("VmRSS", "0 kB").split()[0]) * 1024
            except (OSError, ValueError, KeyError):
                continue
    total = 0
    for process in sizes:
        above = process
        while above not in (0, root):
            above = parents.get(above, 0)
        total += sizes[process] if above == root else 0
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Make, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5.0, help="of samples, 10^9 bytes each  [5]")
    parser.add_argument("--kind", choices=("npz", "tfrecord"), default="npz")
    parser.add_argument("--limit-gigabytes", type=float, default=2.0, help="of memory, 10^9 bytes each  [2]")
    parser.add_argument("--folder", type=Path, help="where the temporary folder goes  [the system's]")
    parsed = parser.parse_args(arguments)
    size, limit = int(parsed.gigabytes * 1e9), int(parsed.limit_gigabytes * 1e9)
    with tempfile.TemporaryDirectory(prefix="edgesparse-streaming-", dir=parsed.folder) as name:
        folder = Path(name)
        free = shutil.disk_usage(folder).free
        if free < size + _SPARE_BYTES:
            print(f"{folder}: {free:,} bytes free, {size + _SPARE_BYTES:,} needed; give another --folder")
            return 2
        samples = make_shards(folder / "data", size, parsed.kind)
        stored = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
        model = folder / "model.h5"
        subprocess.run([sys.executable, "-c", _MODEL, str(model)], check=True)
        print(f"{samples:,} samples of {SHAPE} float32, {stored:,} bytes of {parsed.kind} shards", flush=True)
        options = ["--data", str(folder / "data"), "--method", "finetune", "--epochs", "1", "--sparsity", "0.75"]
        command = ["sparsify", str(model), *options, "-o", str(folder / "out.h5")]
        print("$ edgesparse " + " ".join(command), flush=True)
        code, peak = peak_of([sys.executable, "-c", "from edgesparse.cli import start; start()", *command])
    if code:
        print(f"the command ended with exit code {code}")
        return 1
    print(f"time: {peak.seconds:.0f} s for one epoch of {stored / 1e9:.2f} GB")
    print(f"peak memory of its largest process (ru_maxrss): {peak.largest:,} bytes")
    print(f"peak memory of all its processes together, sampled: {peak.together:,} bytes")
    print(f"limit: {limit:,} bytes: {'kept' if max(peak.largest, peak.together) <= limit else 'EXCEEDED'}")
    return 0 if max(peak.largest, peak.together) <= limit else 3


if __name__ == "__main__":
    sys.exit(main())
