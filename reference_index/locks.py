"""One writer at a time: an advisory lock on a file of the index.

The kernel drops the lock when its holder ends, however it ends, so no lock is ever stale. It
belongs to the open file: a process forked while it is held shares it.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reference_index import versions
from reference_index.errors import IndexLockedError, ReferenceIndexError

MARK = "clearance reference index"


@contextmanager
def writing(index: Path) -> Iterator[None]:
    """Holds the writer's lock of the index at `index`, whose folder exists.

    Raises:
        IndexLockedError: if another writer holds it; says which, and since when.
        ReferenceIndexError: if the index can't be written to at all.
    """
    try:
        with held(index / "lock", MARK):
            yield
    except HeldError as error:
        raise IndexLockedError(
            f"The index {index} is being written by {error.holder}; wait for it to end, "
            "then try again. Reading the index is possible meanwhile."
        ) from None
    except LockError as error:
        raise ReferenceIndexError(f"The index {index} {error}.") from None


class LockError(Exception):
    """A lock can't be had: half a sentence says why."""


class HeldError(LockError):
    """Another process has it: `holder` names it."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"is in use by {holder}")
        self.holder = holder


@contextmanager
def held(path: Path, mark: str) -> Iterator[None]:
    """Holds the lock that is the file `path`, in a folder that exists.

    Args:
        path: the file; it stays, with the name of its last holder in it.
        mark: what the file says that it is.

    Raises:
        HeldError: if another process holds it.
        LockError: if it can't be written to, or its file system has no locks.
    """
    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as fault:
        raise LockError(f"can't be written to ({fault.strerror})") from None
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError(_holder(opened)) from None
        except OSError as fault:
            raise LockError(
                f"can't be locked ({fault.strerror}); put it on a file system that has locks"
            ) from None
        holder = {
            "what": mark,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": versions.now(),
        }
        os.ftruncate(opened, 0)
        os.pwrite(opened, json.dumps(holder).encode() + b"\n", 0)
        yield
    finally:
        os.close(opened)


def is_marked(index: Path) -> bool:
    """Whether the folder has our lock file: an index, or one whose making did not finish."""
    try:
        text = (index / "lock").read_bytes()
        value = json.loads(text) if text else {"what": MARK}
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("what") == MARK


def _holder(opened: int) -> str:
    try:
        value = json.loads(os.pread(opened, 4096, 0))
        return f"process {value['pid']} on {value['host']} since {value['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
