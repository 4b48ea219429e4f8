"""How many files of Clearance's code have a function run in what it does most.

    python -m benchmarks.modules_entered --clearance PATH --image FILE.jpg --script FILE.srt --list

Counted are the distinct `.py` files of the packages in which a function, method, generator or
comprehension was entered, in the command's own process or in any that it started, while

- `screen`: a drop of the two files is screened, against an index of the same two as works;
- `scan`: the same drop is scanned for the first time, against the same index;
- `index add`: the two are registered in an empty index.

Not counted is what runs because a module is imported: its own top-level code, class bodies, and
whatever these call, such as a decorator or a lambda. How many files had nothing but such calls of
functions is said apart, and so is how many of the files the command's own process entered.

Clearance is used by its command line; its packages are found where the Python beside the program
finds them. `benchmarks.modules_tracer` is put before each Python program that is started by
`subprocess`; a process that it can't get into is told of, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("pipeline", "reference_index")
COMPLETE = (0, 3)

_TRACER = Path(__file__).with_name("modules_tracer.py")
_FIND = (
    "import importlib.util, json, sys; found = map(importlib.util.find_spec, sys.argv[1:]); "
    "print(json.dumps([s and list(s.submodule_search_locations) for s in found]))"
)


@dataclass
class Entered:
    """What was seen of one command, and of all that it started.

    Attributes:
        own: files in which a function ran in the command's own process.
        child: files in which one ran in a process that it started.
        imported: files in which one ran while a module was being imported.
        unseen: commands of processes that could not be watched.
    """

    own: set[str] = field(default_factory=set)
    child: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)

    @property
    def run(self) -> set[str]:
        """What counts."""
        return self.own | self.child

    def add(self, line: str) -> None:
        """A line that the tracer wrote."""
        role, kind, what = line.split(" ", 2)
        ran = self.own if role == "own" else self.child
        {"run": ran, "import": self.imported, "unseen": self.unseen}[kind].add(what)


class Watched:
    """The program, watched.

    Args:
        clearance: its path; the Python that runs it lies beside it.
        folder: where it is run, and where the pipe is made.
        packages: names of the packages whose files count.

    Raises:
        SystemExit: if a package is not found.
    """

    def __init__(self, clearance: Path, folder: Path, packages: Sequence[str]) -> None:
        self._clearance, self._folder = clearance.absolute(), folder
        self._python = self._clearance.with_name("python")
        self._pipe = folder / "seen"
        os.mkfifo(self._pipe)
        found = subprocess.run(
            [str(self._python), "-I", "-c", _FIND, *packages], capture_output=True, check=True
        )
        self._roots = []
        for name, roots in zip(packages, json.loads(found.stdout), strict=True):
            if not roots:
                raise SystemExit(f"{self._python} finds no package {name}; name others.")
            self._roots += [str(Path(root).resolve()) for root in roots]

    def run(self, *words: str) -> None:
        """Runs a command unwatched."""
        self._run([str(self._clearance), *words])

    def entered(self, *words: str) -> Entered:
        """What a command enters."""
        seen, ended = Entered(), threading.Event()
        # Opened for both, so that it does not end with the first process that closes it.
        pipe = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK)
        reader = threading.Thread(target=_read, args=(pipe, seen, ended))
        reader.start()
        try:
            before = [str(self._python), str(_TRACER), "own", str(self._pipe), *self._roots, "--"]
            self._run([*before, str(self._clearance), *words])
        finally:
            ended.set()
            reader.join()
            os.close(pipe)
        return seen

    def _run(self, command: list[str]) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in COMPLETE:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _read(pipe: int, seen: Entered, ended: threading.Event) -> None:
    """Takes in what is written to the pipe, until the command has ended and it is empty."""
    rest = b""
    while True:
        last = ended.is_set()
        if not select.select([pipe], [], [], 0.05)[0]:
            if last:
                return
            continue
        *lines, rest = (rest + os.read(pipe, 2**16)).split(b"\n")
        for line in lines:
            seen.add(line.decode("utf-8", "surrogateescape"))


def measure(
    clearance: Path, image: Path, script: Path, packages: Sequence[str] = PACKAGES
) -> dict[str, Entered]:
    """What `screen`, `scan` and `index add` enter."""
    with tempfile.TemporaryDirectory(prefix="clearance-entered-") as place:
        folder = Path(place)
        drop = folder / "drop"
        drop.mkdir()
        names = [f"{kind}{file.suffix}" for kind, file in (("image", image), ("script", script))]
        for name, file in zip(names, (image, script), strict=True):
            shutil.copyfile(file, drop / name)
        with (folder / "works.csv").open("w", newline="", encoding="utf-8") as out:
            works = csv.writer(out)
            works.writerow(["work_id", "title", "rightsholder", "rights", "path"])
            works.writerows([name, name, "An Owner", "protected", f"drop/{name}"] for name in names)
        drops = {"a": {"path": "drop", "settle": {"seconds": 0}}}
        config = {"index": "index", "out": "scans", "drops": drops}
        (folder / "nightly.yaml").write_text(json.dumps(config), encoding="utf-8")
        watched = Watched(clearance, folder, packages)
        watched.run("index", "create", "index")
        added = watched.entered("index", "add", "index", "works.csv")
        return {
            "screen": watched.entered("screen", "drop", "--index", "index", "--out", "out"),
            "scan": watched.entered("scan", "--config", "nightly.yaml"),
            "index add": added,
        }


def main(given: Sequence[str] | None = None) -> None:
    """Prints the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clearance", type=Path, required=True, help="the program")
    parser.add_argument("--image", type=Path, required=True, help="a JPEG")
    parser.add_argument("--script", type=Path, required=True, help="an .srt file")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, metavar="NAME")
    parser.add_argument("--list", action="store_true", help="the files as well")
    options = parser.parse_args(given)
    seen = measure(options.clearance, options.image, options.script, options.packages)
    for command, entered in seen.items():
        others = entered.imported - entered.run
        print(
            f"{command}: {len(entered.run)} files "
            f"({len(entered.own)} in the command's own process; {len(others)} more at import alone)"
        )
        if options.list:
            for file in sorted(entered.run | others):
                where = "" if file in entered.own else "in a worker"
                where = "at import" if file in others else where
                print(f"  {file}{f' ({where})' if where else ''}")
    unseen = sorted(set().union(*(entered.unseen for entered in seen.values())))
    for command in unseen:
        print(f"not watched: {command}")
    sys.exit(1 if unseen else 0)


if __name__ == "__main__":
    main()
