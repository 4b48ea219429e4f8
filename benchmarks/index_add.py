"""What adding a manifest again costs beside the first time, and checking a long one.

    python -m benchmarks.index_add --images DIR --texts DIR --works 280 --rows 20000

Each command is `clearance index add` as a process of its own, from its start to its end. Each row
of the long manifest has a file of its own: those in the folders, each copy with a few bytes more,
so that no two are the same. Nothing of it is in the index.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scan_costs import write
from benchmarks.scan_material import Material


def files_of(images: Sequence[Path], texts: Sequence[Path]) -> list[Path]:
    """Every picture and text in the folders, sorted."""
    suffixes = {".jpg", ".jpeg", ".png", ".webp", ".txt", ".fountain", ".md", ".srt"}
    found = (file for folder in (*images, *texts) for file in sorted(folder.rglob("*")))
    return [file for file in found if file.suffix.lower() in suffixes]


def copies(sources: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """`count` files, each with bytes of its own."""
    folder.mkdir()
    made = []
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        copy = folder / f"{number:06d}{source.suffix.lower()}"
        copy.write_bytes(source.read_bytes() + f"\n{number}".encode())
        made.append(copy)
    return made


def manifest(folder: Path, files: Sequence[Path]) -> Path:
    """A manifest with each file as a work of its own."""
    path = folder / "works.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["work_id", "title", "rightsholder", "rights", "path"])
        rows.writerows([f.stem, f.stem, "An Owner", "protected", f.name] for f in files)
    return path


def timed(*words: object) -> tuple[float, dict[str, object]]:
    """Seconds from the start of a command to its end, and the object that it printed."""
    command = [sys.executable, "-m", "pipeline", "index", *map(str, words), "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if done.returncode not in (0, 2) or not done.stdout:
        raise SystemExit(done.stderr)
    answer: dict[str, object] = json.loads(done.stdout)
    return taken, answer


def rows_of(answer: dict[str, object], key: str) -> list[dict[str, object]]:
    """A list in an answer."""
    rows = answer[key]
    assert isinstance(rows, list)
    return rows


def measure(images: Sequence[Path], texts: Sequence[Path], works: int, rows: int, seed: int) -> str:
    """A Markdown table of the commands and their times."""
    lines = ["| command | files | seconds | share of the first |", "| --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as place:
        folder, index = Path(place), Path(place) / "index"
        timed("create", index)
        originals = folder / "works"
        # Light edits of the files, so that there may be more works than files.
        few = manifest(originals, write(Material(images, texts, seed), originals, 0, works))
        first, added = timed("add", index, few, "--skip-bad")
        lines.append(f"| first `add` | {added['files_added']} | {first:.1f} | 1 |")
        # Files too plain to be told from others are left out: they are tried again each time.
        _, listed = timed("list", index)
        stored = {work["work_id"] for work in rows_of(listed, "works")}
        manifest(originals, [file for file in sorted(originals.iterdir()) if file.stem in stored])
        for name, words in (("`add` again", ()), ("`add --check`", ("--check",))):
            taken, answer = timed("add", index, few, *words)
            share = f"1/{first / taken:.0f}"
            lines.append(f"| {name}, unchanged | {answer['unchanged']} | {taken:.1f} | {share} |")
        if rows:
            long = folder / "long"
            made = copies(files_of(images, texts), long, rows)
            size = sum(file.stat().st_size for file in made) / 2**30
            taken, answer = timed("add", index, manifest(long, made), "--check")
            count = len(rows_of(answer, "new_files"))
            lines.append(f"| `add --check`, new, {size:.1f} GiB | {count} | {taken:.1f} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--works", type=int, default=280)
    parser.add_argument("--rows", type=int, default=20_000, help="of the long manifest; 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(measure(options.images, options.texts, options.works, options.rows, options.seed))


if __name__ == "__main__":
    main()
