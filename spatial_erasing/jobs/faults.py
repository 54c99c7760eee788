"""Faults of the machine or of the software, told apart from findings in the data.

A finding is written down: it would be the same on any machine. A fault is not: it fails its job after
the others are done, so that the same command tries again.
"""

import errno
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
LISTED = 50  # faults that a message names with their reasons


def is_finding(error: BaseException) -> bool:
    """Whether an error is what our own checks raise about data."""
    # subclasses (JSON, Unicode, linear algebra) and every error of the system are not
    return type(error) is ValueError


@contextmanager
def about(name: object) -> Iterator[None]:
    """Findings in the block begin with what they are about: a file, a sequence."""
    try:
        yield
    except ValueError as error:
        if not is_finding(error):
            raise
        raise ValueError(f"{name}: {error}") from error


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out, in the words of Python, torch, C++ or the system."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (not is_finding(error) and any(words in text for words in NO_MEMORY))
    )


def one_line(error: BaseException) -> str:
    """An error as one line; ours speak for themselves, foreign ones keep their type."""
    if isinstance(error, BrokenProcessPool):
        return "its process was killed each time, though it worked alone"
    text = " ".join(str(error).split())
    return text if _is_ours(error) else f"{type(error).__name__}: {text}"


def _is_ours(error: BaseException) -> bool:
    """Whether an error was raised by this library, with a sentence of its own."""
    if isinstance(error, ImportError):
        return error.name is None
    return is_finding(error) or (isinstance(error, OSError) and error.errno is None)


def remedy(error: BaseException) -> str:
    """What to do about a fault, one sentence; "" where its own words say it."""
    if isinstance(error, BrokenProcessPool) or lacks_memory(error):
        return "The system kills what takes too much memory: free some, or start with fewer --cores."
    if isinstance(error, FileNotFoundError):
        return "Mount its disk, or put it back."
    if _is_ours(error):
        return ""
    if isinstance(error, ModuleNotFoundError):
        return "Install it: pip install -r requirements.txt"
    if isinstance(error, OSError):
        no_room = error.errno in NO_ROOM
        return "Make room on its disk, or raise the quota." if no_room else "Look at the disk that holds it."
    return "Nobody foresaw this error: its traceback stands above."


def refuse(title: str, findings: Iterable[str], *, advice: str) -> None:
    """Raise findings as one ValueError, a line each, and what to do about them; nothing without a finding."""
    if lines := [f"  {finding}" for finding in findings]:
        raise ValueError("\n".join([f"{title}:", *lines, advice]))


def fault_message(faults: Sequence[tuple[str, BaseException]], *, of: int) -> str:
    """What failed, why, and what to do: a line each."""
    lines = [f"  {name}: {one_line(error)} {remedy(error)}".rstrip() for name, error in faults[:LISTED]]
    if len(faults) > LISTED:
        others = ", ".join(name for name, _ in faults[LISTED:])
        lines.append(f"  and, with their reasons above, {others}")
    return (
        f"{len(faults)} of {of} failed, and no result was written for them. All others "
        f"are done and kept:\n"
        + "\n".join(lines)
        + "\nMend the cause and give the same command again: it tries these alone."
    )
