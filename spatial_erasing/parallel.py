"""Work over many items in processes, sized by the cores asked for and by the memory that is free."""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

logger = logging.getLogger(__name__)
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl
Item = TypeVar("Item")
Result = TypeVar("Result")


def available_memory_mb() -> float:
    """Memory that new processes may take: what is free on the machine, or less in a control group."""
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free_mb = int(meminfo["MemAvailable"].split()[0]) / 1024
    group = Path("/sys/fs/cgroup")
    limit, used = group / "memory.max", group / "memory.current"
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        free_mb = min(free_mb, (int(text) - int(used.read_text())) / 2**20)
    return free_mb


def worker_count(cores: int, *, memory_mb_per_worker: float) -> int:
    """As many workers as cores, fewer where memory is short, at least one."""
    try:
        fitting = int(available_memory_mb() // memory_mb_per_worker)
    except (OSError, KeyError, ValueError):  # no /proc here: trust the cores
        fitting = cores
    return max(1, min(cores, fitting))


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    killed: Callable[[Item], Result] | None = None,
) -> Iterator[Result]:
    """Results of `function` over `items`, in the order in which they are ready.

    A worker that is killed (by the system when memory runs out, say) takes the items in work with it; they
    are tried once more, each alone, so that a single bad item costs no other its result.

    Args:
        function: picklable; handles its own errors.
        items: one call each.
        workers: processes; each computes with one thread.
        killed: the result of an item whose worker was killed though it worked alone; without it that is an
            error.

    Raises:
        RuntimeError: naming the items whose worker was killed though it worked alone, after all others.
    """
    left = dict(enumerate(items))
    try:
        with _processes(min(workers, max(len(left), 1))) as pool:
            futures = {pool.submit(function, item): place for place, item in left.items()}
            for future in as_completed(futures):
                result = future.result()
                del left[futures[future]]
                yield result
    except BrokenProcessPool:
        logger.warning("a worker was killed; %d items are tried again one at a time", len(left))
    lost = []
    for item in left.values():
        with _processes(1) as pool:
            try:
                yield pool.submit(function, item).result()
            except BrokenProcessPool:
                if killed is None:
                    lost.append(item)
                else:
                    yield killed(item)
    if lost:
        raise RuntimeError(
            f"a worker process was killed, though it worked alone, at each of these: "
            f"{', '.join(map(repr, lost))}. The system kills processes that take too much memory: free "
            f"some, or leave these out."
        )


def _processes(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=get_context("fork"), initializer=_begin_worker, initargs=(os.getpid(),)
    )


def _begin_worker(parent: int) -> None:
    _die_with(parent)
    _limit_threads()


def _die_with(parent: int) -> None:
    """End this process when its parent does, even by SIGKILL.

    A worker that lived on would wait for work for ever, and write into the files of the next run.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it was faster
            os.kill(os.getpid(), signal.SIGKILL)


def _limit_threads() -> None:
    """One thread a worker: several workers with a thread each beat one worker with several."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ[variable] = "1"
    # Where the parent has computed with torch already, its thread pool did not survive the fork, and a
    # child that asked for a second thread would wait for it for ever.
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
