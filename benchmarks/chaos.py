"""Kills nightly scans at random moments and compares their results with undisturbed ones.

    python -m benchmarks.chaos --kills 200 --seed 1
    python -m benchmarks.chaos --images DIR --texts DIR --kills 200

Two scan directories share one drop and one index, which change from round to round. In each round
one directory is scanned undisturbed; in the other, scans are killed (SIGKILL, with their child
processes) and started again until one is complete. A scan counts as complete from the commit that
marks it so; its results must then equal those of the undisturbed one.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos_checks import (
    View,
    differences,
    faults_of,
    kept_differences,
    left_over,
    phase_of,
    view_of,
)
from benchmarks.chaos_process import FILES, STATE, Ended, Kill, run_scan
from benchmarks.scan_material import Material
from pipeline.core.layout import HISTORY, LATEST

COMPLETE = (0, 3)
"""Exit statuses of a scan that is complete: every asset screened, or some not."""

DISTURBED, CALM = "disturbed", "calm"
ROUND = 14
"""The most kills in one round."""


@dataclass
class Tally:
    """Counts of a benchmark run.

    Attributes:
        kills: by where they landed, and how they were aimed.
        starts: scans begun in the disturbed directory.
        late: scans that were complete before their kill.
        compared: complete scans that were compared.
        rounds: changes made to drop and index, in words.
        faults: differences and damage that were found.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    starts: int = 0
    late: int = 0
    compared: int = 0
    rounds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Scenario:
    """A drop and an index that change, and two scan directories over them.

    Args:
        folder: an empty one, for all of it.
        material: files for drop and index.
        seed: of the changes.
        pictures, scripts: files of the drop at first.
        works: works of the index at first.
        create: makes the index at a path.
    """

    def __init__(
        self,
        folder: Path,
        material: Material,
        seed: int,
        *,
        pictures: int,
        scripts: int,
        works: int,
        create: Callable[[Path], object],
    ) -> None:
        self.folder, self.drop, self.index = folder, folder / "drop", folder / "index"
        self._material = material
        self._rng = random.Random(f"{seed} changes")
        self._next = {"picture": 0, "script": 0}
        self._works: list[str] = []
        self.drop.mkdir(parents=True)
        for name in (DISTURBED, CALM):
            self.config(name).write_text(
                f"index: index\nout: {name}\ndrops:\n  vendor:\n    path: drop\n"
                "    settle:\n      seconds: 0\n",
                encoding="utf-8",
            )
        create(self.index)
        self.add_works(works)
        for kind, number in (("picture", pictures), ("script", scripts)):
            for _ in range(number):
                self._add(kind)

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def out(self, name: str) -> Path:
        return self.folder / name

    def files(self) -> list[Path]:
        return sorted(file for file in self.drop.rglob("*") if file.is_file())

    def _made(self, kind: str) -> tuple[str, bytes]:
        number = self._next[kind]
        self._next[kind] += 1
        return getattr(self._material, kind)(number)

    def _add(self, kind: str) -> None:
        name, data = self._made(kind)
        folder = self.drop / f"{kind}s" / f"reel {self._rng.randrange(3)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    def add_works(self, number: int) -> None:
        """Registers works: new files, and files that lie in the drop already."""
        from pipeline.screening.register import add_works

        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            rows = []
            there = self.files()
            for count in range(number):
                work = f"work-{len(self._works):04d}"
                if there and count % 2:
                    file = self._rng.choice(there)
                    name, data = file.name, file.read_bytes()
                else:
                    name, data = self._made("script" if count % 4 == 2 else "picture")
                (Path(place) / f"{count}-{name}").write_bytes(data)
                rows.append((work, f"Work {work}", "An Owner", "protected", f"{count}-{name}"))
                self._works.append(work)
            manifest = Path(place) / "works.csv"
            with manifest.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(
                    [("work_id", "title", "rightsholder", "rights", "path"), *rows]
                )
            add_works(self.index, manifest, skip_bad=True)

    def remove_work(self) -> None:
        """Takes a work out of the index."""
        from reference_index.store import ReferenceIndex

        index = ReferenceIndex.open(self.index)
        index.remove([self._rng.choice(sorted(work.work_id for work in index.works))])

    def change(self) -> list[str]:
        """Changes drop and index a little; what was done, in words."""
        rng, done = self._rng, []
        for _ in range(rng.randint(2, 5)):
            kind = rng.choice(("picture", "picture", "script"))
            self._add(kind)
            done.append("file added")
        files = self.files()
        victims = rng.sample(files, 3)
        other = self._made("script" if victims[0].suffix == ".txt" else "picture")[1]
        stands = victims[0].stat()
        victims[0].write_bytes(other)
        os.utime(victims[0], ns=(stands.st_atime_ns, stands.st_mtime_ns))
        done.append("bytes changed, time kept")
        what = rng.choice(("removed", "renamed", "doubled", "cut short"))
        {
            "removed": victims[1].unlink,
            "renamed": lambda: victims[1].rename(victims[1].with_stem(f"{victims[1].stem} b")),
            "doubled": lambda: shutil.copyfile(
                victims[1], victims[1].with_stem(f"{victims[1].stem} again")
            ),
            "cut short": lambda: victims[1].write_bytes(victims[1].read_bytes()[:200]),
        }[what]()
        done.append(f"file {what}")
        chance = rng.random()
        if chance < 0.35:
            self.add_works(2)
            done += ["work added"] * 2
        elif chance < 0.5:
            self.remove_work()
            done.append("work removed")
        elif chance < 0.65 and len(view_of(self.out(CALM)).finished) > 1:
            for name in (DISTURBED, CALM):
                _grow_old(self.out(name))
            done.append("earlier scans grown old")
        return done


def _grow_old(out: Path) -> None:
    """Makes all scans but the last older than any is kept."""
    with closing(sqlite3.connect(out / "state.sqlite")) as opened, opened:
        opened.execute(
            "update scans set started = '2001-01-01T00:00:00Z' where finished is not null "
            "and started < (select max(started) from scans where finished is not null)"
        )


class Chaos:
    """Rounds of kills.

    Args:
        scenario: what is scanned.
        seed: of the kills.
        whole: the share of scans that are whole processes and not forked.
        say: told of each round.
    """

    def __init__(
        self, scenario: Scenario, seed: int, *, whole: float, say: Callable[[str], None] = print
    ) -> None:
        self.scenario = scenario
        self.tally = Tally()
        self._rng = random.Random(f"{seed} kills")
        self._whole = whole
        self._say = say
        self._known: dict[str, bytes] = {}
        self._last: dict[str, str | None] = {DISTURBED: None, CALM: None}
        self._log = scenario.folder / "log.txt"

    def run(self, kills: int) -> Tally:
        """Rounds until that many kills; then one more scan of each, undisturbed."""
        while sum(self.tally.kills.values()) < kills and not self.tally.faults:
            if self.tally.compared:
                self.tally.rounds.update(self.scenario.change())
            left = kills - sum(self.tally.kills.values())
            self._round(min(left, self._rng.randint(ROUND // 2, ROUND)))
        if not self.tally.faults:
            self._round(0)
            out = self.scenario.out(DISTURBED)
            self._fault(left_over(out, view_of(out)))
            self._fault(kept_differences(out, self.scenario.out(CALM)))
        return self.tally

    def _fault(self, faults: Sequence[str]) -> None:
        for fault in faults:
            self.tally.faults.append(f"comparison {self.tally.compared}: {fault}")
            self._say(f"FAULT {fault}")

    def _scan(self, name: str, *, forked: bool = True, kill: Kill | None = None) -> Ended:
        return run_scan(
            self.scenario.config(name), self.scenario.out(name), self._log, forked=forked, kill=kill
        )

    def _round(self, kills: int) -> None:
        began = time.monotonic()
        calm = self._scan(CALM)
        if calm.status not in COMPLETE:
            self._fault([f"an undisturbed scan ended with status {calm.status}; see {self._log}"])
            return
        out, files = self.scenario.out(DISTURBED), len(self.scenario.files())
        before = view_of(out)
        for _ in range(kills):
            forked = self._rng.random() >= self._whole
            kill = self._aim(calm, forked=forked)
            at = view_of(out)
            ended = self._scan(DISTURBED, forked=forked, kill=kill)
            self.tally.starts += 1
            after = view_of(out)
            self._fault(faults_of(out, after, self._known))
            if ended.status is None:
                self.tally.kills[phase_of(out, after, at, files), kill.how] += 1
            elif ended.status in COMPLETE:
                self.tally.late += 1
            else:
                self._fault([f"a scan begun anew ended with status {ended.status}"])
            if self.tally.faults or after.finished[-1:] != before.finished[-1:]:
                break
        after = view_of(out)
        if not self.tally.faults and after.finished[-1:] == before.finished[-1:]:
            ended = self._scan(DISTURBED)
            self.tally.starts += 1
            if ended.status not in COMPLETE:
                self._fault([f"the last scan of a round ended with status {ended.status}"])
        if not self.tally.faults:
            self._compare(view_of(out), view_of(self.scenario.out(CALM)))
        done = sum(self.tally.kills.values())
        self._say(
            f"round {self.tally.compared}: {done} kills so far, {files} files, "
            f"{time.monotonic() - began:.0f} s"
        )

    def _compare(self, ours: View, theirs: View) -> None:
        finished = {DISTURBED: ours.finished[-1], CALM: theirs.finished[-1]}
        folders = [
            self.scenario.out(name) / HISTORY / scan_id for name, scan_id in finished.items()
        ]
        self._fault(differences(folders[0], folders[1], (self._last[DISTURBED], self._last[CALM])))
        self.tally.compared += 1
        self._last = dict(finished)
        self._known[ours.finished[-1]] = (folders[0] / "run.json").read_bytes()
        self._fault(faults_of(self.scenario.out(DISTURBED), ours, self._known))

    def _aim(self, calm: Ended, *, forked: bool) -> Kill:
        """When the next scan is killed; an undisturbed one of the same says how long it takes."""
        rng = self._rng
        if not forked:
            if rng.random() < 0.5:
                return Kill("watch", seen=rng.choice(_SIGHTS)(rng, self.scenario.out(DISTURBED)))
            # Beside the scan itself there are Python's imports, which take some seconds.
            return Kill("clock", rng.uniform(0.0, calm.seconds + 5.0))
        how = rng.choice(("clock", "clock", FILES, STATE, "watch"))
        if how in (FILES, STATE):
            return Kill(how, rng.randint(1, max(1, calm.changes[how])))
        if how == "watch":
            return Kill("watch", seen=rng.choice(_SIGHTS)(rng, self.scenario.out(DISTURBED)))
        return Kill("clock", rng.uniform(0.0, calm.seconds))


def _found(out: Path, pattern: str) -> set[Path]:
    """What is there of a scan's results; none where a folder goes away under the look."""
    try:
        return set(out.glob(f"{HISTORY}/[0-9]*{pattern}"))
    except OSError:
        return set()


def _partial(rng: random.Random, _out: Path) -> Callable[[Path], bool]:
    names = ("risk_table.parquet", "matches", "delta.parquet", "delta.html", "run.json", "")
    name = rng.choice(names)
    return lambda out: bool(_found(out, f"/.{name}*.partial"))


def _journal(_rng: random.Random, _out: Path) -> Callable[[Path], bool]:
    return lambda out: bool(_found(out, "/.clearance-run.journal"))


def _new_run(_rng: random.Random, out: Path) -> Callable[[Path], bool]:
    there = _found(out, "/run.json")
    return lambda out: bool(_found(out, "/run.json") - there)


def _latest(_rng: random.Random, out: Path) -> Callable[[Path], bool]:
    def led(out: Path) -> Path | None:
        try:
            return (out / LATEST).readlink()
        except OSError:
            return None

    was = led(out)
    return lambda out: led(out) != was


def _gone(_rng: random.Random, out: Path) -> Callable[[Path], bool]:
    there = _found(out, "")
    return lambda out: not there <= _found(out, "")


def _log_grown(rng: random.Random, _out: Path) -> Callable[[Path], bool]:
    wanted, seen = rng.randint(1, 6), set()

    def grown(out: Path) -> bool:
        try:
            seen.add((out / "state.sqlite-wal").stat().st_size)
        except OSError:
            return False
        return len(seen) > wanted

    return grown


_SIGHTS = (_partial, _journal, _new_run, _latest, _gone, _log_grown)
"""Things that appear in or vanish from a scan directory, and are waited for."""


def report(tally: Tally, scenario: Scenario, material: Material, seed: int) -> str:
    """The figures as Markdown."""
    kills = sum(tally.kills.values())
    hows = ("clock", FILES, STATE, "watch")
    heads = ("by the clock", "before a change of a file", "before or after a commit", "at a sight")
    lines = [
        f"Of {material.named}, seed {seed}: {kills} kills, {tally.starts} scans begun, "
        f"{tally.compared} complete scans compared, over a drop of {len(scenario.files())} files "
        f"at the end; between them: "
        + ", ".join(f"{what} {number} times" for what, number in sorted(tally.rounds.items()))
        + ".",
        "",
        "| the kill landed while | " + " | ".join((*heads, "all")) + " |",
        "| --- |" + " --- |" * (len(heads) + 1),
    ]
    for phase in sorted({phase for phase, _ in tally.kills}, key=_order):
        numbers = [tally.kills[phase, how] for how in hows]
        lines.append(f"| {phase} | " + " | ".join(map(str, (*numbers, sum(numbers)))) + " |")
    totals = [sum(n for (_, how), n in tally.kills.items() if how == one) for one in hows]
    lines.append("| all | " + " | ".join(map(str, (*totals, kills))) + " |")
    lines += ["", f"Result: {'; '.join(tally.faults) or 'equal, every time'}."]
    return "\n".join(lines)


_ORDER = (
    "starting", "reading the drops", "judging", "writing results", "renaming results",
    "results written, not yet finished", "finished, `latest` not yet led there",
    "finished, forgetting what is old",
)  # fmt: skip


def _order(phase: str) -> int:
    return _ORDER.index(phase)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, nargs="+", default=[], help="folders of pictures")
    parser.add_argument("--texts", type=Path, nargs="+", default=[], help="folders of scripts")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=40, help="of the drop at first")
    parser.add_argument("--scripts", type=int, default=8, help="of the drop at first")
    parser.add_argument("--works", type=int, default=16, help="of the index at first")
    parser.add_argument("--whole", type=float, default=0.1, help="share of whole processes")
    parser.add_argument("--keep", type=Path, help="a new folder for drop, index and scans")
    options = parser.parse_args()
    from pipeline.screening.register import create_index

    material = Material(options.images, options.texts, options.seed)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="clearance-chaos-"))
    scenario = Scenario(
        folder / "scenario",
        material,
        options.seed,
        pictures=options.pictures,
        scripts=options.scripts,
        works=options.works,
        create=create_index,
    )
    tally = Chaos(
        scenario, options.seed, whole=options.whole, say=lambda text: print(text, flush=True)
    ).run(options.kills)
    print(report(tally, scenario, material, options.seed))
    if tally.faults:
        raise SystemExit(f"Everything is left in {folder} to be looked at.")
    if options.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
