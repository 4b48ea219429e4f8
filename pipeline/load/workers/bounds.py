"""Limits of the processes that decode files, and the command that starts one.

The memory limit of a worker is RLIMIT_AS (address space), `limits.max_worker_bytes`. Time is
limited by the parent's clock, and by SIGALRM and RLIMIT_CPU in case the parent is stopped or gone;
a process also exits when its parent has (`exit_with_parent`).

Two programs run under these limits:

- `pipeline.load.workers.worker_process` decodes one file after another, for as long as the process
  that screens runs. `worker.Worker` starts it.
- `pipeline.load.script.pdf_process` reads one PDF and exits. `pipeline.load.script.pdf` starts it,
  from inside a worker. PDFium ends its process when an allocation fails, so with a process of its
  own the worker survives and reports `too_large`. Inside the worker the same PDF would cost two
  workers (the file is tried again in a new one) and be reported as `decoder_died`. It needs no more
  than `subprocess.run`: one question, one answer, one timeout; the pool of workers has nothing to
  replace that with.

Standard library only: a PDF reader is started for every PDF, and must start quickly.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SPARE_SECONDS = 5
"""What a process gets beyond its parent's clock before it ends itself."""

_PARENT_CHECK_SECONDS = 1.0
_FILE = Path(__file__).resolve()
_ROOT = _FILE.parents[3]  # the folder that `pipeline` is imported from


def command(module: str, arguments: Mapping[str, Any]) -> list[str]:
    """The command that runs `main(arguments)` of a module in a new, isolated Python.

    It runs this file by its path, so that the script which uses Clearance is not run again.

    Args:
        module: its dotted name.
        arguments: sent as JSON.
    """
    start = {
        "root": str(_ROOT),
        "path": [os.path.abspath(path) for path in sys.path if path],  # noqa: PTH100
        "module": module,
        "arguments": dict(arguments),
    }
    return [sys.executable, "-I", "-B", str(_FILE), json.dumps(start)]


def set_limits(**limits: int) -> None:
    """Limits this process and those that it starts: `AS=…` sets RLIMIT_AS, in bytes.

    A limit that the system does not know, or refuses, is left out; the parent's clock still holds.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in limits.items():
        limit = getattr(resource, f"RLIMIT_{name}", None)
        if limit is None:
            continue
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(limit, (allowed, allowed))
        except (OSError, ValueError):  # macOS knows RLIMIT_AS and refuses it
            continue


def set_alarm(seconds: float) -> None:
    """Ends this process after that time, even inside a decoder; 0 cancels it."""
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds))


def exit_with_parent(parent: int) -> None:
    """Ends this process when the process `parent` has ended, which it may have already."""
    if hasattr(os, "fork"):
        pids = (os.getppid(), parent)
        threading.Thread(target=_watch, args=pids, daemon=True).start()


def _watch(started_by: int, parent: int) -> None:
    while os.getppid() == started_by:
        try:
            os.kill(parent, 0)
        except OSError:
            break
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)


def _run() -> int:
    start = json.loads(sys.argv[1])
    sys.path[:] = dict.fromkeys([start["root"], *sys.path, *start["path"]])
    return int(importlib.import_module(start["module"]).main(start["arguments"]))


if __name__ == "__main__":
    sys.exit(_run())
