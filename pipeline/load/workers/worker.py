"""One worker process that decodes files for this process, and the clock that limits its time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.core.errors import DecodingError
from pipeline.core.records import Asset, Fault
from pipeline.load.limits import Limits
from pipeline.load.loaded import Loaded
from pipeline.load.refusal import one_line
from pipeline.load.workers.bounds import command
from pipeline.load.workers.messages import PIPE_BYTES, ReplyError, encode_request, read_reply

START_SECONDS = 120.0
"""How long a worker may take to start; the machine may be starting many programs at once."""

_PROGRAM = "pipeline.load.workers.worker_process"
_END_SECONDS = 2.0
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_started: weakref.WeakSet[Worker] = weakref.WeakSet()
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class WorkerDiedError(Exception):
    """A worker exited or was killed before it replied. The message says how, as half a sentence."""


class WorkerTimeoutError(WorkerDiedError):
    """A worker was killed because it exceeded its time limit."""


class WorkerGoneError(WorkerDiedError):
    """A worker had exited before it received the request, so the file is not the cause."""


class WorkerStartError(DecodingError):
    """A worker exited or was killed while it started; another one may start."""


class Clock:
    """Kills workers that exceed their time limit: one thread for all workers.

    Raises:
        DecodingError: if the thread can't be started.
    """

    def __init__(self) -> None:
        self._due: dict[Worker, float] = {}
        self._changed = threading.Condition()
        self._next = 0.0
        try:
            threading.Thread(target=self._run, name="decoding clock", daemon=True).start()
        except RuntimeError as error:
            raise _cannot_start(str(error)) from error

    def start(self, worker: Worker, seconds: float) -> None:
        """Gives `worker` that many seconds from now."""
        with self._changed:
            due = time.monotonic() + seconds
            self._due[worker] = due
            if due < self._next or not self._next:
                self._changed.notify()

    def stop(self, worker: Worker) -> bool:
        """Cancels the time limit of `worker`; False if it was exceeded already."""
        with self._changed:
            return self._due.pop(worker, None) is not None

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for worker in [worker for worker, due in self._due.items() if due <= now]:
                    del self._due[worker]
                    worker.kill()
                # Cancelled limits still wake this thread; that is cheaper than notifying it.
                self._next = min(self._due.values(), default=0.0)
                self._changed.wait(self._next - now if self._next else None)


class Worker:
    """A process that decodes files, one at a time. Not thread-safe, except for `kill`.

    Args:
        memory_bytes: limit on its address space (RLIMIT_AS), in bytes.
        clock: limits the time of each file.

    Raises:
        WorkerStartError: if it exited while it started, or the system refused to start it.
        DecodingError: if it can't be started for another reason.
    """

    def __init__(self, memory_bytes: int, clock: Clock) -> None:
        self.memory_bytes = memory_bytes
        self.files = 0
        """Files that it has decoded or begun to decode."""
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd=os.path.abspath(os.sep),  # noqa: PTH100 - so that no mount is kept busy
                env={**os.environ, **_ONE_THREAD},
                # Ctrl-C at the terminal is handled by this process; and a worker is killed together
                # with the processes that it started (killpg).
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise WorkerStartError(_start_failure(why)) from error
        _started.add(self)
        self._requests = cast(BinaryIO, self._process.stdin)
        self._replies = cast(BinaryIO, self._process.stdout)
        try:
            self._wait_until_ready()
            self._initial_bytes = self._address_space()
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def load(self, asset: Asset, limits: Limits, seconds: float) -> Loaded | Fault:
        """The result of `pipeline.load.load.load` for the asset, computed in the worker.

        Raises:
            WorkerDiedError: if the worker died, sent a malformed reply, or exceeded its time. The
                caller has to end it.
        """
        self.files += 1
        self._clock.start(self, seconds)
        try:
            self._send(encode_request(asset, limits, seconds))
            return read_reply(self._fill, limits)
        except (OSError, ReplyError) as error:
            self._clock.stop(self)
            raise WorkerDiedError(str(error)) from error
        except EOFError as error:
            if not self._clock.stop(self):
                raise WorkerTimeoutError(f"it took more than {seconds:,.0f} seconds") from error
            raise WorkerDiedError(self._how_it_ended()) from error
        finally:
            self._clock.stop(self)

    def alive(self) -> bool:
        """Whether the process is running."""
        with self._lock:
            return self._process.poll() is None

    def leaks(self) -> bool:
        """Whether it retains so much memory that a later file might run out of it.

        The limit is an eighth of its bound on top of what it had when it was ready.
        """
        return self._address_space() > self._initial_bytes + self.memory_bytes // 8

    def kill(self) -> None:
        """Kills it and the processes that it started. May be called from any thread."""
        with self._lock:
            # Not after it was waited for: its process id may have been reused.
            if self._process.poll() is None:
                with contextlib.suppress(OSError):
                    if hasattr(os, "killpg"):
                        os.killpg(self._process.pid, _KILL)
                    else:
                        self._process.kill()

    def end(self) -> None:
        """Ends it and closes its pipes. An idle worker exits by itself when its requests end."""
        with contextlib.suppress(OSError):
            self._requests.close()
        if not self._ended(_END_SECONDS):
            self.kill()
            self._ended(None)
        self._replies.close()

    def disown(self) -> None:
        """Leaves the process to the one that this process was forked from."""
        self._requests.close()
        self._replies.close()
        self._process.returncode = 0  # not a child of this process, so it must not be waited for

    def _ended(self, seconds: float | None) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _command(self) -> list[str]:
        if not sys.executable:
            raise _cannot_start("Python doesn't know its own program")
        return command(_PROGRAM, {"memory_bytes": self.memory_bytes, "parent": os.getpid()})

    def _wait_until_ready(self) -> None:
        _enlarge(self._requests, self._replies)
        self._clock.start(self, START_SECONDS)
        line = b""
        try:
            while not line.endswith(b"\n") and (more := self._replies.read(1)):
                line += more
        finally:
            in_time = self._clock.stop(self)
        if line == b'{"ready": true}\n':
            return
        if not in_time:
            raise _cannot_start(f"it was not ready after {START_SECONDS:,.0f} seconds")
        try:
            message = str(json.loads(line)["error"])
        except (ValueError, KeyError, TypeError):
            raise WorkerStartError(_start_failure(self._how_it_ended())) from None
        raise _cannot_start(one_line(RuntimeError(message)))

    def _send(self, request: bytes) -> None:
        try:
            self._requests.write(request)
        except BrokenPipeError as error:
            raise WorkerGoneError(self._how_it_ended()) from error

    def _fill(self, buffer: memoryview) -> None:
        while buffer:
            count = cast(int, self._replies.readinto(buffer))  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            buffer = buffer[count:]

    def _how_it_ended(self) -> str:
        if not self._ended(_END_SECONDS):
            return "it stopped answering"
        status = self._process.returncode
        if status >= 0:
            return f"it ended with status {status}"
        try:
            return f"it was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"it was ended by signal {-status}"

    def _address_space(self) -> int:
        """Bytes; 0 on systems without /proc."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_bytes().split()[0]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return 0


def forget_workers() -> None:
    """Drops all workers: in a forked process they belong to its parent."""
    for worker in list(_started):
        worker.disown()


def _cannot_start(why: str) -> DecodingError:
    return DecodingError(_start_failure(why))


def _start_failure(why: str) -> str:
    return (
        f"No process could be started to decode files in ({why}); free memory, allow this account "
        "more processes (ulimit -u), or raise limits.max_worker_bytes, and run it again."
    )


def _enlarge(*pipes: BinaryIO) -> None:
    """Enlarges pipes, on Linux, so that a picture is sent without waiting for the reader."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl
    except ImportError:
        return
    for pipe in pipes:
        with contextlib.suppress(OSError):
            fcntl(pipe.fileno(), F_SETPIPE_SZ, PIPE_BYTES)
