"""Where trials run: in this process, or on Dask's workers, of this machine or of a cluster.

Dask moves the problem to each worker once, hands out trials, and notices lost workers by itself. What is lost with a
worker or with a scheduler is handed out again, under the same number, so that it counts once.
"""

from __future__ import annotations

import importlib
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import edgesparse
from edgesparse.errors import EdgesparseError, ResourceError, SettingsError, ToolMissingError
from edgesparse.progress import Progress
from edgesparse.search.trial import Failed, Judged, Problem, try_settings
from edgesparse.settings import Settings

__all__ = ["Job", "Pool", "load_library", "workers"]

_ATTEMPTS = 10
"""That a job gets on workers that die; then it counts as what kills them."""
_CONNECT_S = 15
_RECONNECT_S = 120
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Job:
    """Settings to try; number: of the trial, rung: of its ladder."""

    number: int
    rung: int
    settings: Settings


class Pool(Protocol):
    """Something that jobs run on."""

    @property
    def size(self) -> int:
        """How many jobs run at a time."""

    def submit(self, job: Job) -> None:
        """Hand it out."""

    def finished(self, timeout_s: float) -> list[tuple[Job, Judged | Failed]]:
        """What has ended since the last call; waits for the first until the timeout."""


@dataclass(eq=False)
class _Here:
    """This process: one job after the other, each when its result is asked for."""

    problem: Problem
    waiting: deque[Job] = field(default_factory=deque)
    size: int = 1

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def finished(self, timeout_s: float) -> list[tuple[Job, Judged | Failed]]:
        del timeout_s
        if not self.waiting:
            return []
        job = self.waiting.popleft()
        return [(job, try_settings(self.problem, job.settings))]


@contextmanager
def workers(problem: Problem, *, scheduler: str | None, count: int, say: Progress) -> Iterator[Pool]:
    """A pool for the time of the block.

    scheduler: address of Dask's, such as tcp://host:8786; None for `count` processes of this machine, each with one
    thread and its share of the memory, or for this process where count is 0. ToolMissingError without Dask;
    SettingsError where nobody answers at the address, and where workers have another version.
    """
    if scheduler is None and count == 0:
        yield _Here(problem)
        return
    with ExitStack() as stack:
        yield stack.enter_context(_Dask.connected(problem, scheduler, count, say))


def load_library(name: str) -> Any:
    """A module of the extra `search`; ToolMissingError where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about each other
            return importlib.import_module(name)
    except ImportError as error:
        raise ToolMissingError(f"search needs {name.partition('.')[0]}: pip install 'edgesparse[search]'") from error


class _Dask:
    """Workers behind a scheduler."""

    def __init__(self, problem: Problem, address: Any, security: Any, say: Progress) -> None:
        self._problem, self._address, self._security, self._say = problem, address, security, say
        self._running: dict[Any, Job] = {}
        self._attempts: dict[Job, int] = {}
        self._client: Any = None
        self._shared: Any = None

    @classmethod
    @contextmanager
    def connected(cls, problem: Problem, scheduler: str | None, count: int, say: Progress) -> Iterator[_Dask]:
        """With a client, and a cluster of this machine where no scheduler is given."""
        with ExitStack() as stack, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            address, security = (
                (scheduler, None) if scheduler is not None else stack.enter_context(_local_cluster(count))
            )
            pool = cls(problem, address, security, say)
            stack.callback(pool.close)
            pool.connect(_CONNECT_S)
            yield pool

    def connect(self, timeout_s: float) -> None:
        """Make a client, check the workers, and hand them the problem."""
        distributed = load_library("distributed")
        with _quiet_logs():
            try:
                self._client = distributed.Client(self._address, security=self._security, timeout=timeout_s)
            except (OSError, TimeoutError, ValueError) as error:
                raise SettingsError(
                    f"--scheduler {self._address}: no Dask scheduler answers: {error}; start one with "
                    "`dask scheduler`, or leave --scheduler out for this machine"
                ) from error
            self._wait_for_workers(timeout_s)
            self._check_versions()
            self._shared = self._client.scatter(self._problem, broadcast=True, hash=False)

    def close(self) -> None:
        """Drop what still runs."""
        if self._client is not None:
            with _quiet_logs():
                for future in self._running:
                    future.cancel()
                self._client.close()

    @property
    def size(self) -> int:
        """Threads of all workers, of which each runs a job."""
        try:
            return max(1, int(sum(self._client.nthreads().values())))
        except Exception:  # the scheduler is gone; finished() will see it
            return 1

    def submit(self, job: Job) -> None:
        """Hand it out, once more where it was lost."""
        self._attempts[job] = self._attempts.get(job, 0) + 1
        future = self._client.submit(try_settings, self._shared, job.settings, pure=False, retries=_ATTEMPTS)
        self._running[future] = job

    def finished(self, timeout_s: float) -> list[tuple[Job, Judged | Failed]]:
        """What has ended; jobs that were lost are handed out again."""
        distributed = load_library("distributed")
        with _quiet_logs():
            done = self._done(timeout_s)
        found: list[tuple[Job, Judged | Failed]] = []
        for future in done:
            job = self._running.pop(future)
            outcome = self._outcome(future, job, distributed)
            if outcome is None:
                self._again([job])
            else:
                found.append((job, outcome))
        return found

    def _done(self, timeout_s: float) -> list[Any]:
        end = time.monotonic() + timeout_s
        while True:
            if self._client.status != "running":
                self._reconnect()
            done = [future for future in self._running if future.status != "pending"]
            if done or time.monotonic() > end:
                return done
            time.sleep(0.05)

    def _outcome(self, future: Any, job: Job, distributed: Any) -> Judged | Failed | None:
        """None where it was lost, and is to be tried again."""
        if future.status == "finished":
            try:
                outcome: Judged | Failed = future.result(timeout=_RECONNECT_S)
            except (OSError, TimeoutError, distributed.FutureCancelledError):
                return None
            return outcome
        if future.status in ("cancelled", "lost"):
            return None
        error = future.exception()
        if isinstance(error, distributed.KilledWorker):
            if self._attempts[job] < _ATTEMPTS:
                return None
            return Failed(f"{_ATTEMPTS} workers died of it, as where memory runs out")
        if isinstance(error, EdgesparseError):
            return Failed(str(error))
        raise error

    def _again(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._say(f"trial {job.number} was lost with its worker; it is run again")
            self.submit(job)

    def _reconnect(self) -> None:
        """The scheduler went away: wait for it, and hand out again what it had."""
        self._say(f"the scheduler at {self._address} is gone; waiting for it")
        jobs, self._running = list(self._running.values()), {}
        end = time.monotonic() + _RECONNECT_S
        while True:
            try:
                self._client.close(timeout=1)
            except Exception as error:  # of a client whose other end is gone: nothing is left to close
                self._say(f"the old connection: {type(error).__name__}")
            try:
                self.connect(5)
                break
            except SettingsError as error:
                if time.monotonic() > end:
                    raise ResourceError(
                        f"the scheduler at {self._address} did not come back within {_RECONNECT_S} s; "
                        "start it, and run the same command again: it goes on where it was"
                    ) from error
                time.sleep(1)
        self._again(jobs)

    def _wait_for_workers(self, timeout_s: float) -> None:
        try:
            self._client.wait_for_workers(1, timeout=timeout_s)
        except (TimeoutError, OSError) as error:
            raise SettingsError(
                f"--scheduler {self._address}: the scheduler has no workers; start some with "
                f"`dask worker {self._address} --nthreads 1`"
            ) from error

    def _check_versions(self) -> None:
        try:
            versions = self._client.run(_version)
        except Exception as error:  # whatever a worker without edgesparse raises
            raise SettingsError(
                f"--scheduler {self._address}: a worker has no edgesparse {edgesparse.__version__}: "
                f"{type(error).__name__}; install the same version there"
            ) from error
        for worker, version in versions.items():
            if version != edgesparse.__version__:
                raise SettingsError(
                    f"--scheduler {self._address}: worker {worker} has edgesparse {version}, this is "
                    f"{edgesparse.__version__}; install the same version there"
                )


def _version() -> str:
    import edgesparse

    return edgesparse.__version__


@contextmanager
def _local_cluster(count: int) -> Iterator[tuple[Any, Any]]:
    """Processes of this machine. Only who has the certificate of the run can talk to them."""
    dask, distributed = load_library("dask"), load_library("distributed")
    environment = dict.fromkeys(_THREADS, "1")
    with (
        _quiet_logs(),
        dask.config.set(
            {
                "distributed.nanny.pre-spawn-environ": environment,
                "distributed.scheduler.allowed-failures": _ATTEMPTS,
                "distributed.worker.daemon": False,
            }
        ),
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            security=True,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster, cluster.security


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Dask logs what we say in a line of ours."""
    import logging

    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
