"""Advisory file locks (flock), so that an index has one writer at a time.

The kernel releases the lock when its holder ends for any reason, so no lock is ever stale. It
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
"""In the lock file of an index, by which its folder is recognised."""


@contextmanager
def write_lock(index: Path) -> Iterator[None]:
    """Holds the lock for writing to the index in the folder `index`, which exists.

    Raises:
        IndexLockedError: if another writer holds it; the message says which, and since when.
        ReferenceIndexError: if the index can't be written to at all.
    """
    try:
        with file_lock(index / "lock", MARK):
            yield
    except LockHeldError as error:
        raise IndexLockedError(
            f"The index {index} is being written by {error.holder}; wait for it to end, "
            "then try again. Reading the index is possible meanwhile."
        ) from None
    except LockError as error:
        raise ReferenceIndexError(f"The index {index} {error}.") from None


class LockError(Exception):
    """A lock can't be taken; the message is the end of a sentence."""


class LockHeldError(LockError):
    """Another process holds the lock; `holder` describes it."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"is in use by {holder}")
        self.holder = holder


@contextmanager
def file_lock(path: Path, mark: str) -> Iterator[None]:
    """Holds a lock on the file `path`, in a folder that exists, without waiting for it.

    Args:
        path: the file. It is not removed afterwards, and names its last holder.
        mark: text in the file that says what it is.

    Raises:
        LockHeldError: if another process holds it.
        LockError: if the file can't be written, or its file system has no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as fault:
        raise LockError(f"can't be written to ({fault.strerror})") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeldError(_holder(descriptor)) from None
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
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)
        yield
    finally:
        os.close(descriptor)


def is_marked(index: Path) -> bool:
    """Whether the folder has the lock file of an index, which `create` may not have completed."""
    try:
        text = (index / "lock").read_bytes()
        value = json.loads(text) if text else {"what": MARK}
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("what") == MARK


def _holder(descriptor: int) -> str:
    try:
        value = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {value['pid']} on {value['host']} since {value['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
