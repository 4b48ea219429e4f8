"""One worker: a process that decodes files for this one, and the clock that it works against."""

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
from pipeline.load.refusal import shown
from pipeline.load.workers.messages import AnswerError, read_answer, request
from pipeline.load.workers.worker_process import PIPE_BYTES

START_SECONDS = 120.0
"""How long a worker may take to start: a machine may be starting many programs at once."""

_PROGRAM = Path(__file__).with_name("worker_process.py")
_END_SECONDS = 2.0
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_started: weakref.WeakSet[Worker] = weakref.WeakSet()
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class WorkerDiedError(Exception):
    """A worker ended, or was ended, before it answered. Its message says how; never shown alone."""


class WorkerLateError(WorkerDiedError):
    """A worker was ended because its time was over."""


class WorkerGoneError(WorkerDiedError):
    """A worker had ended before it was asked: the file has nothing to do with it."""


class WorkerStartError(DecodingError):
    """A worker ended, or was ended, while it started: another one may start."""


class Clock:
    """Ends workers whose time is over: one thread for all of them.

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
            raise _no_start(str(error)) from error

    def start(self, worker: Worker, seconds: float) -> None:
        """From now on `worker` has that many seconds."""
        with self._changed:
            due = time.monotonic() + seconds
            self._due[worker] = due
            if due < self._next or not self._next:
                self._changed.notify()

    def stop(self, worker: Worker) -> bool:
        """Whether `worker` was still within its time, which no longer runs."""
        with self._changed:
            return self._due.pop(worker, None) is not None

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for worker in [worker for worker, due in self._due.items() if due <= now]:
                    del self._due[worker]
                    worker.kill()
                # Times that were stopped are not taken back: waking for nothing is cheaper.
                self._next = min(self._due.values(), default=0.0)
                self._changed.wait(self._next - now if self._next else None)


class Worker:
    """A process that decodes files, one at a time. Not for several threads at once, but for `kill`.

    Args:
        memory_bytes: address space that it may take, in bytes.
        clock: that its files are timed by.

    Raises:
        WorkerStartError: if it ended while it started, or the system refused to start it.
        DecodingError: if it can't be started for another reason.
    """

    def __init__(self, memory_bytes: int, clock: Clock) -> None:
        self.memory_bytes = memory_bytes
        self.files = 0
        """Files that it was given so far."""
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd=os.path.abspath(os.sep),  # noqa: PTH100 - no folder is kept busy by it
                env={**os.environ, **_ONE_THREAD},
                # Ctrl-C at the terminal is for this process to answer; and what a worker starts
                # ends with it.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise WorkerStartError(_not_started(said)) from error
        _started.add(self)
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        try:
            self._greet()
            self._held = self._address_space()
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def load(self, asset: Asset, limits: Limits, seconds: float) -> Loaded | Fault:
        """What `pipeline.load.load` gives for the asset, in the worker.

        Raises:
            WorkerDiedError: if the worker ended over it, and is to be ended if it has not.
        """
        self.files += 1
        self._clock.start(self, seconds)
        try:
            self._ask(request(asset, limits, seconds))
            return read_answer(self._fill, limits)
        except (OSError, AnswerError) as error:
            self._clock.stop(self)
            raise WorkerDiedError(str(error)) from error
        except EOFError as error:
            if not self._clock.stop(self):
                raise WorkerLateError(f"it took more than {seconds:,.0f} seconds") from error
            raise WorkerDiedError(self._manner()) from error
        finally:
            self._clock.stop(self)

    def alive(self) -> bool:
        """Whether it has not ended."""
        with self._lock:
            return self._process.poll() is None

    def swollen(self) -> bool:
        """Whether it holds on to so much that a later file might not find room for itself."""
        return self._address_space() > self._held + self.memory_bytes // 8

    def kill(self) -> None:
        """Ends it at once, with whatever it started. May be called from any thread."""
        with self._lock:
            # Not once it was waited for: its number may be another process's by then.
            if self._process.poll() is None:
                with contextlib.suppress(OSError):
                    if hasattr(os, "killpg"):
                        os.killpg(self._process.pid, _KILL)
                    else:
                        self._process.kill()

    def end(self) -> None:
        """Ends it, and gives back all that was held for it. An idle one ends by itself."""
        with contextlib.suppress(OSError):
            self._requests.close()
        if not self._ended(_END_SECONDS):
            self.kill()
            self._ended(None)
        self._answers.close()

    def disown(self) -> None:
        """Leaves it to the process that this one was forked from."""
        self._requests.close()
        self._answers.close()
        self._process.returncode = 0  # it is no child of this process, to be waited for

    def _ended(self, seconds: float | None) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _command(self) -> list[str]:
        if not sys.executable:
            raise _no_start("Python doesn't know its own program")
        told = {
            "root": [str(Path(__file__).resolve().parents[3])],
            "path": [os.path.abspath(path) for path in sys.path if path],  # noqa: PTH100
            "memory_bytes": self.memory_bytes,
            "parent": os.getpid(),
        }
        return [sys.executable, "-I", "-B", str(_PROGRAM), json.dumps(told)]

    def _greet(self) -> None:
        """Waits until it is ready."""
        _widen(self._requests, self._answers)
        self._clock.start(self, START_SECONDS)
        line = b""
        try:
            while not line.endswith(b"\n") and (more := self._answers.read(1)):
                line += more
        finally:
            in_time = self._clock.stop(self)
        if line == b'{"ready": true}\n':
            return
        if not in_time:
            raise _no_start(f"it was not ready after {START_SECONDS:,.0f} seconds")
        try:
            said = str(json.loads(line)["said"])
        except (ValueError, KeyError, TypeError):
            raise WorkerStartError(_not_started(self._manner())) from None
        raise _no_start(shown(RuntimeError(said)))

    def _ask(self, asked: bytes) -> None:
        try:
            self._requests.write(asked)
        except BrokenPipeError as error:
            raise WorkerGoneError(self._manner()) from error

    def _fill(self, room: memoryview) -> None:
        while room:
            count = cast(int, self._answers.readinto(room))  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            room = room[count:]

    def _manner(self) -> str:
        """How it ended."""
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
    """Lets go of all workers: in a process that was forked, they are its parent's."""
    for worker in list(_started):
        worker.disown()


def _no_start(said: str) -> DecodingError:
    return DecodingError(_not_started(said))


def _not_started(said: str) -> str:
    return (
        f"No process could be started to decode files in ({said}); free memory, allow this account "
        "more processes (ulimit -u), or raise limits.max_worker_bytes, and run it again."
    )


def _widen(*pipes: BinaryIO) -> None:
    """Lets a picture pass without waiting, where the system can."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl
    except ImportError:
        return
    for pipe in pipes:
        with contextlib.suppress(OSError):
            fcntl(pipe.fileno(), F_SETPIPE_SZ, PIPE_BYTES)
