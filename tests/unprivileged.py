"""What a user without rights would see, though containers run the tests as root, who may do everything."""

import multiprocessing
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
FORK = multiprocessing.get_context("fork")


@contextmanager
def folder_for_everyone():
    """A temporary folder with open parents: those of `tmp_path` are closed to all but their owner."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def as_nobody(function, *args, **kwargs):
    """The result of a call in a forked child that has given up its rights; its error is raised here."""
    receiver, sender = FORK.Pipe(duplex=False)
    child = FORK.Process(target=_answer, args=(sender, function, args, kwargs))
    child.start()
    sender.close()
    try:
        assert receiver.poll(60), "the child does not answer"
        result = receiver.recv()
    finally:
        child.kill()
        child.join()
    if isinstance(result, Exception):
        raise result
    return result


def _answer(sender, function, args, kwargs):
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        sender.send(function(*args, **kwargs))
    except Exception as error:
        sender.send(error)
