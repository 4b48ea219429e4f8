"""Runs a program and tells which files of some packages had a function run, in all its processes.

    python modules_tracer.py own PIPE ROOT… -- PROGRAM ARGUMENT…

`benchmarks.modules_entered` runs it. It is put before the program, and before the program of every
Python process that one starts, whatever environment and flags that process gets: `subprocess.Popen`
is wrapped. What it saw goes to a named pipe as it is seen: a worker may be killed, and may write to
no file. It imports nothing of what it watches, and is run by its path.

A line that it writes is `own run PATH` for a function that ran, `own import PATH` for one that ran
while some module of the packages was being imported, `own unseen COMMAND` for a process that it
can't get into; with `child` for `own` in the processes that the first one started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

FUNCTION = 0x1
"""CO_OPTIMIZED: set for the code of functions, and not for that of modules and class bodies."""


class Tracer:
    """Sees every call.

    Args:
        role: of this process, `own` or `child`.
        pipe: path of the named pipe.
        roots: folders of the packages.
    """

    def __init__(self, role: str, pipe: str, roots: list[str]) -> None:
        self._role, self._pipe, self._roots = role, pipe, roots
        self._to = os.open(pipe, os.O_WRONLY | os.O_APPEND)
        self._files: dict[str, str | None] = {}
        self._told: set[str] = set()
        self._run: set[str] = set()

    def watch(self) -> None:
        """From now on, in this thread and those that are started."""
        popen = subprocess.Popen
        before = [str(Path(__file__).resolve()), "child", self._pipe, *self._roots, "--"]
        tracer = self

        class Traced(popen):  # type: ignore[valid-type,misc]
            def __init__(self, args: Any, *more: Any, **options: Any) -> None:
                super().__init__(tracer.traced(args, before), *more, **options)

        subprocess.Popen = Traced  # type: ignore[misc]
        threading.setprofile(self.seen)
        sys.setprofile(self.seen)

    def seen(self, frame: types.FrameType, event: str, _arg: object) -> None:
        """For sys.setprofile."""
        if event != "call":
            return
        name = frame.f_code.co_filename
        if name in self._run or not frame.f_code.co_flags & FUNCTION:
            return
        file = self._files.get(name, "")
        if file == "":
            file = self._files[name] = self._ours(name)
        if file is None:
            return
        if self._importing(frame):
            self._tell(f"import {file}")
        else:
            self._run.add(name)
            self._tell(f"run {file}")

    def traced(self, args: Any, before: list[str]) -> Any:
        """A command with this program before the one that it runs, if it runs Python."""
        words = [os.fspath(word) for word in args] if isinstance(args, (list, tuple)) else []
        if not words or words[0] != sys.executable:
            if "python" in str(args):
                self._tell(f"unseen {args!r}"[:1000])
            return args
        # Flags come first: none that takes a value is used, and -c and -m name no file.
        place = next((n for n, word in enumerate(words) if n and not word.startswith("-")), 0)
        if not place or not words[place].endswith(".py"):
            self._tell(f"unseen {args!r}"[:1000])
            return args
        return [*words[:place], *before, *words[place:]]

    def _ours(self, name: str) -> str | None:
        if not name.endswith(".py"):  # a template's code names the template
            return None
        path = os.path.realpath(name)
        for root in self._roots:
            if path.startswith(root + os.sep):
                return Path(path).relative_to(Path(root).parent).as_posix()
        return None

    def _importing(self, frame: types.FrameType | None) -> bool:
        """Whether a module of the packages is being imported; a program is run, not imported."""
        while frame is not None:
            if (
                frame.f_code.co_name == "<module>"
                and frame.f_globals.get("__name__") != "__main__"
                and self._ours(frame.f_code.co_filename) is not None
            ):
                return True
            frame = frame.f_back
        return False

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            said = f"{self._role} {line}".replace("\n", " ")
            os.write(self._to, said.encode("utf-8", "surrogateescape") + b"\n")


def main() -> None:
    """Runs the program as Python itself would."""
    end = sys.argv.index("--")
    role, pipe, *roots = sys.argv[1:end]
    program = sys.argv[end + 1]
    sys.argv = sys.argv[end + 1 :]
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(program).resolve().parent)
    code = compile(Path(program).read_bytes(), program, "exec")
    module = types.ModuleType("__main__")
    module.__file__ = program
    sys.modules["__main__"] = module
    Tracer(role, pipe, roots).watch()
    exec(code, module.__dict__)  # noqa: S102 - as Python runs a program


if __name__ == "__main__":
    main()
