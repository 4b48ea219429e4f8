"""A scan in a process of its own, killed at a chosen moment with all that it started.

A forked process starts in milliseconds from a server that has imported everything, so that kills
land in the scan and not in Python's imports; a whole process is the command as cron starts it. A
forked one can be killed right before its n-th change of a file or of the state, which random times
hardly ever hit: an audit hook counts them.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_connect = sqlite3.connect

FILES, STATE = "file", "state"
_PLACES = {FILES: 0, STATE: 1}
_CHANGES = frozenset(
    {"os.rename", "os.remove", "os.symlink", "os.mkdir", "os.rmdir", "os.link", "os.truncate"}
)


@dataclass(frozen=True, slots=True)
class Kill:
    """When a scan is killed.

    Attributes:
        how: `clock` after `at` seconds; `file` or `state` before the change of that number (a
            transaction's begin or commit for the state); `watch` as soon as `seen` is true of the
            scan directory.
        at: seconds, or the number from 1 on.
        seen: for `watch`.
    """

    how: Literal["clock", "file", "state", "watch"]
    at: float = 0.0
    seen: Callable[[Path], bool] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a scan ended.

    Attributes:
        status: its exit status; None if it was killed.
        seconds: how long it ran.
        changes: by kind, how many changes were counted, for a forked process.
    """

    status: int | None
    seconds: float
    changes: dict[str, int]


def server() -> Any:
    """The context whose processes are forked from a server that has imported everything."""
    # A pattern of the command line matches the beginning of a message.
    for quiet in ("ignore:lancedb fork support:RuntimeWarning",):
        if quiet not in sys.warnoptions:
            sys.warnoptions.append(quiet)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.chaos_preload"])
    return context


def run_scan(
    config: Path, out: Path, log: Path, *, forked: bool = True, kill: Kill | None = None
) -> Ended:
    """Scans, and kills the scan's process group if it has not ended before.

    Args:
        config: the configuration of the scan.
        out: its scan directory.
        log: what it prints is added here.
        forked: whether from the server, or as a whole process.
        kill: when; None for never.
    """
    if not forked:
        return _whole(config, out, log, kill)
    counts = log.with_suffix(".counts")
    counts.write_bytes(bytes(16))
    aimed = (kill.how, int(kill.at)) if kill and kill.how in _PLACES else None
    process = server().Process(
        target=_child, args=(str(config), str(out), str(log), str(counts), aimed)
    )
    began = time.monotonic()
    process.start()
    _await(lambda wait: process.join(wait) or process.exitcode is not None, process.pid, out, kill)
    process.join()
    taken = time.monotonic() - began
    files, state = struct.unpack("QQ", counts.read_bytes())
    status = process.exitcode
    process.close()
    killed = status == -signal.SIGKILL
    return Ended(None if killed else status, taken, {FILES: files, STATE: state})


def _whole(config: Path, out: Path, log: Path, kill: Kill | None) -> Ended:
    began = time.monotonic()
    with log.open("ab") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "scan", "--config", str(config)],
            stdout=printed,
            stderr=printed,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ended(wait: float | None) -> bool:
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait)
            return True
        return False

    _await(ended, process.pid, out, kill)
    status = process.wait()
    killed = status == -signal.SIGKILL
    return Ended(None if killed else status, time.monotonic() - began, {})


def _await(ended: Callable[[float | None], bool], pid: int, out: Path, kill: Kill | None) -> None:
    """Waits for a process to end, or kills it and its group."""
    if kill is None or kill.how in _PLACES:
        ended(None)
        return
    if kill.how == "clock":
        if ended(kill.at):
            return
    elif kill.seen is not None:
        while not kill.seen(out):
            if ended(0.0005):
                return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    # It may not have become the leader of its group yet.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _child(config: str, out: str, log: str, counts: str, aimed: tuple[str, int] | None) -> None:
    os.setsid()
    printed = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    warnings.simplefilter("default")
    meter = _Meter(out, counts, aimed)
    sys.addaudithook(meter.hook)
    sqlite3.connect = meter.connect  # type: ignore[assignment]
    sys.argv = ["clearance", "scan", "--config", config]
    from pipeline.cli import main

    main()


class _Meter:
    """Counts changes of files below a folder and of the state in it; kills at a chosen one."""

    def __init__(self, out: str, counts: str, aimed: tuple[str, int] | None) -> None:
        self._out = out
        self._aimed = aimed
        with Path(counts).open("r+b") as file:
            self._counts = mmap.mmap(file.fileno(), 16)
        self._counted = [0, 0]

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
                self._change(args)
        elif event in ("os.remove", "os.rmdir") and args[-1] >= 0:
            self._step(FILES)  # below an opened folder, as when a tree is removed
        elif event in _CHANGES:
            self._change(args)

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        """As `sqlite3.connect`, with its transactions counted."""
        opened = _connect(*args, **options)
        opened.set_trace_callback(self._statement)
        return opened

    def _change(self, args: tuple[Any, ...]) -> None:
        named = [os.fsdecode(one) for one in args[:2] if isinstance(one, str | bytes | os.PathLike)]
        if any(one.startswith(self._out) for one in named):
            self._step(FILES)

    def _statement(self, sql: str) -> None:
        if sql[:6].lower() in ("begin ", "commit"):
            self._step(STATE)

    def _step(self, kind: str) -> None:
        place = _PLACES[kind]
        self._counted[place] += 1
        struct.pack_into("Q", self._counts, 8 * place, self._counted[place])
        if self._aimed == (kind, self._counted[place]):
            os.killpg(os.getpid(), signal.SIGKILL)
