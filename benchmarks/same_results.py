"""Whether two versions of Clearance give the same results: keeps one's, and compares two.

    python -m benchmarks.same_results keep BEFORE --clearance PATH --images DIR --texts DIR --demo
    python -m benchmarks.same_results keep AFTER --clearance OTHER --images DIR --texts DIR --demo
    python -m benchmarks.same_results compare BEFORE AFTER

`keep` registers half of the files below the two folders, screens all of them, scans a copy of them,
changes files and index, scans again, and explains some rows. It uses Clearance by its command line
alone, so that both versions may be of any shape. `compare` exits with 1 if a cell, a row, a column
or a file differs, and with 0 and a count of what it compared if none does. What is not compared is
told in `benchmarks.same_cells`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.same_cells import SHOWN, Side, compare, told
from benchmarks.same_material import change, files_below, lay_out, write_works

KEPT, MADE_IN, FACTS = "kept", "made", "facts.json"
COMPLETE = (0, 3)
"""Exit statuses of what is complete; with 3, not everything could be screened."""
FLAGGED = 1
"""Exit status of what was asked to fail on flagged rows."""


class Keeper:
    """Runs commands of one version and keeps what they print and write.

    Args:
        clearance: the program.
        out: a new or empty folder.
    """

    def __init__(self, clearance: Path, out: Path) -> None:
        # Not resolved: a link may be what tells Python its environment.
        self._clearance = clearance.absolute()
        self.folder, self.kept = out.absolute() / MADE_IN, out.absolute() / KEPT
        for folder in (self.folder, self.kept):
            folder.mkdir(parents=True)
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in _UNWANTED},
            "COLUMNS": "160",
            "NO_COLOR": "1",
            "HF_HUB_OFFLINE": "1",
        }

    def run(self, name: str, *words: str, statuses: Sequence[int] = (0,)) -> None:
        """Runs a command in the folder, and keeps how it ended and what it printed as `name`.

        Raises:
            SystemExit: if it ended with a status that is not among `statuses`.
        """
        began = time.monotonic()
        done = subprocess.run(
            [str(self._clearance), *words],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        print(f"{time.monotonic() - began:7.1f} s  clearance {' '.join(words)}", flush=True)
        if done.returncode not in statuses:
            raise SystemExit(
                f"It ended with status {done.returncode}:\n{done.stderr.decode(errors='replace')}"
            )
        with (self.kept / "commands.txt").open("a", encoding="utf-8") as file:
            file.write(f"{name}: clearance {' '.join(words)}: status {done.returncode}\n")
        printed = self.kept / "printed"
        printed.mkdir(exist_ok=True)
        ending = "json" if "--json" in words else "txt"
        (printed / f"{name}.{ending}").write_bytes(done.stdout)
        (printed / f"{name}.stderr.txt").write_bytes(done.stderr)

    def keep(self, results: str, name: str) -> None:
        """Keeps a folder of results as `name`."""
        for file in files_below(self.folder / results):
            if not file.name.startswith("."):
                target = self.kept / name / file.relative_to(self.folder / results)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


_UNWANTED = ("PYTHONPATH", "PYTHONHOME", "CLEARANCE_RECORD", "FORCE_COLOR")


def keep(clearance: Path, images: Path, texts: Path, out: Path, *, demo: bool) -> None:
    """Runs it all, and keeps the results in `out`."""
    keeper = Keeper(clearance, out)
    drop = keeper.folder / "drop"
    lay_out(images, texts, drop)
    shutil.copytree(drop, keeper.folder / "night", copy_function=shutil.copyfile)
    files = files_below(drop)
    works = write_works(keeper.folder, files[::2], keeper.folder / "works.csv")
    _index(keeper)
    _screen(keeper)
    _scans(keeper, files, works)
    if demo:
        keeper.run("demo", "demo", "--folder", "demo")
        keeper.run("demo-again", "demo", "--folder", "demo", "--json")
        keeper.keep("demo/out", "demo")
        shutil.copyfile(keeper.folder / "demo/works/works.csv", keeper.kept / "demo/works.csv")
    inputs = {
        file.relative_to(keeper.folder).as_posix(): Side(keeper.folder, "").digest(
            file.relative_to(keeper.folder).as_posix()
        )
        for name in ("drop", "night", "demo/drop", "demo/works")
        for file in files_below(keeper.folder / name)
    }
    (keeper.kept / "inputs.json").write_text(json.dumps(inputs, indent=1), encoding="utf-8")
    run = json.loads((keeper.kept / "screen/run.json").read_bytes())
    facts = {
        "made_in": str(keeper.folder),
        "clearance": str(clearance),
        "code_digest": run["code_digest"],
        "clearance_version": run["clearance_version"],
    }
    (out / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _index(keeper: Keeper) -> None:
    keeper.run("index-create", "index", "create", "index")
    keeper.run("index-add", "index", "add", "index", "works.csv", "--skip-bad")
    keeper.run("index-list", "index", "list", "index")
    keeper.run("index-list-json", "index", "list", "index", "--json")
    keeper.run("index-show", "index", "show", "index")
    keeper.run("index-show-work", "index", "show", "index", "W-0001")
    keeper.run("index-show-work-json", "index", "show", "index", "W-0001", "--json")


def _screen(keeper: Keeper) -> None:
    screen = ("screen", "drop", "--index", "index", "--out", "screened")
    keeper.run("screen", *screen, statuses=COMPLETE)
    keeper.keep("screened", "screen")
    for number, asset in enumerate(_some(keeper.kept / "screen/risk_table.csv")):
        keeper.run(f"explain-{number}", "explain", "screened", asset)
        keeper.run(f"explain-{number}-json", "explain", "screened", asset, "--json")
    (keeper.folder / "overlays").mkdir()
    for number, asset in enumerate(_overlaid(keeper.kept / "screen/risk_table.csv")):
        keeper.run(
            f"overlay-{number}", "explain", "screened", asset, "--overlay", f"overlays/{number}.png"
        )
    keeper.keep("overlays", "overlays")
    strict = ("--config", "configs/strict.yaml", "--fail-on", "review", "--json")
    again = ("screen", "drop/made", "--index", "index", "--out", "strict", *strict)
    keeper.run("screen-strict", *again, statuses=(*COMPLETE, FLAGGED))
    keeper.keep("strict", "strict")


def _scans(keeper: Keeper, files: Sequence[Path], works: int) -> None:
    drops = {
        name: {"path": f"night/{name}", "settle": {"seconds": 0}}
        for name in ("images", "texts", "made")
    }
    config = {"index": "index", "out": "scans", "drops": drops}
    (keeper.folder / "nightly.yaml").write_text(json.dumps(config), encoding="utf-8")
    scan = ("scan", "--config", "nightly.yaml")
    keeper.run("scan-1", *scan, statuses=COMPLETE)
    keeper.keep("scans/latest", "scan-1")
    change(keeper.folder / "night")
    write_works(keeper.folder, files[1::16], keeper.folder / "more.csv", works + 1)
    keeper.run("index-add-more", "index", "add", "index", "more.csv", "--skip-bad", "--json")
    keeper.run("index-remove", "index", "remove", "index", "W-0002", f"W-{works:04d}")
    keeper.run("index-show-json", "index", "show", "index", "--json")
    keeper.run("index-verify", "index", "verify", "index")
    keeper.run("scan-2", *scan, statuses=COMPLETE)
    keeper.keep("scans/latest", "scan-2")
    with (keeper.kept / "scan-2/delta.csv").open(newline="", encoding="utf-8-sig") as opened:
        changed = [row["asset_path"] for row in csv.DictReader(opened) if row["change"] == "risen"]
    for asset in changed[:1]:
        keeper.run("explain-changed", "explain", "scans/latest", asset, "--json")
        keeper.run("history", *scan, "--history", asset)
    keeper.run("scan-3-json", *scan, "--json", statuses=COMPLETE)
    keeper.keep("scans/latest", "scan-3")


def _some(table: Path) -> Iterator[str]:
    """The first and the last asset of each kind and band."""
    groups: dict[tuple[str, str], list[str]] = {}
    with table.open(newline="", encoding="utf-8-sig") as opened:
        for row in csv.DictReader(opened):
            groups.setdefault((row["kind"], row["band"]), []).append(row["asset_path"])
    for paths in groups.values():
        yield from dict.fromkeys((paths[0], paths[-1]))


def _overlaid(table: Path) -> list[str]:
    """Assets whose overlay can be drawn: the first, and one of the made ones if there is any."""
    with table.open(newline="", encoding="utf-8-sig") as opened:
        found = [row["asset_path"] for row in csv.DictReader(opened) if row["overlap_transform"]]
    made = [path for path in found if path.startswith("made/")]
    return list(dict.fromkeys(found[:1] + made[:1]))


def side(out: Path) -> tuple[Side, str]:
    """Results that were kept, and the digest of the code that they are of.

    Raises:
        SystemExit: if `out` holds none, or not all of them.
    """
    try:
        facts = json.loads((out / FACTS).read_bytes())
    except FileNotFoundError:
        raise SystemExit(f"{out} holds no complete results: there is no {FACTS} in it.") from None
    return Side(out / KEPT, facts["made_in"]), facts["code_digest"]


def main(given: Sequence[str] | None = None) -> None:
    """Keeps or compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    keeping = commands.add_parser("keep", help="run a version and keep its results")
    keeping.add_argument("out", type=Path, help="a new folder")
    keeping.add_argument("--clearance", type=Path, required=True, help="the program")
    keeping.add_argument("--images", type=Path, required=True, help="a folder of pictures")
    keeping.add_argument("--texts", type=Path, required=True, help="a folder of scripts")
    keeping.add_argument("--demo", action="store_true", help="the demo as well")
    comparing = commands.add_parser("compare", help="compare the results of two versions")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument(
        "--shown", type=int, default=SHOWN, help="of a file's column, differences shown"
    )
    options = parser.parse_args(given)
    if options.command == "keep":
        keep(options.clearance, options.images, options.texts, options.out, demo=options.demo)
        return
    (before, code), (after, other_code) = side(options.before), side(options.after)
    done = compare(before, after)
    if done.differences:
        print(told(done.differences, options.shown))
    found = f"{len(done.differences):,} differ" if done.differences else "equal"
    print(
        f"{done.cells:,} cells of {done.files:,} files compared: {found} "
        f"(code {code[:12]} and {other_code[:12]})."
    )
    if done.differences or not done.cells:
        sys.exit(1)


if __name__ == "__main__":
    main()
