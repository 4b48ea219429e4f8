"""What a nightly scan costs beside the first one.

    python -m benchmarks.scan_costs --images DIR --texts DIR --assets 2000 --works 400

One drop and one index; each scan is `clearance scan` as a process of its own, from its start to its
end. Ratios to the first scan are printed as a table. Files are light edits of those in the folders,
or drawn where none are given.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scan_material import Material
from pipeline.screening.register import add_works, create_index

SCRIPTS = 0.1
"""Share of scripts among assets and works."""


def write(material: Material, folder: Path, first: int, count: int) -> list[Path]:
    """Files number `first` and following."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(first, first + count):
        script = number % round(1 / SCRIPTS) == 0
        name, data = material.script(number) if script else material.picture(number)
        file = folder / f"{number:06d}-{name}"
        file.write_bytes(data)
        files.append(file)
    return files


def register(index: Path, folder: Path, files: Sequence[Path]) -> None:
    """Each file as a work of its own, but for those too plain to be told from others."""
    manifest = folder / "works.csv"
    with manifest.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["work_id", "title", "rightsholder", "rights", "path"])
        rows.writerows([file.stem, file.stem, "An Owner", "protected", file.name] for file in files)
    add_works(index, manifest, skip_bad=True)


def timed_scan(config: Path) -> tuple[float, dict[str, int]]:
    """Seconds from the start of a process to its end, and what changed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "scan", "--config", str(config), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    taken = time.perf_counter() - began
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    changes: dict[str, int] = json.loads(done.stdout)["changes"]
    return taken, changes


def measure(
    material: Material, protected: Material, folder: Path, assets: int, works: int, seed: int
) -> str:
    """A Markdown table of the scans: of assets of one material, against works of another."""
    drop, originals, index = folder / "drop", folder / "works", folder / "index"
    more = max(1, works // 100)
    create_index(index)
    registered = write(protected, originals, 10**5, works + more)
    register(index, originals, registered[:works])
    files = write(material, drop, 0, assets)
    config = folder / "nightly.yaml"
    drops = {"a": {"path": str(drop), "settle": {"seconds": 0}}}
    config.write_text(json.dumps({"index": str(index), "out": "scan", "drops": drops}))
    lines = [
        f"{assets:,} assets of {material.named}, {works:,} works of {protected.named}.",
        "",
        "| scan | of the first | changes |",
        "| --- | --- | --- |",
    ]

    def measure(what: str, first: float | None) -> float:
        taken, changes = timed_scan(config)
        listed = ", ".join(f"{n:,} {name}" for name, n in changes.items() if n) or "none"
        share = 1.0 if first is None else taken / first
        lines.append(f"| {what} | {share:.1%} | {listed} |")
        print(f"{taken:8.1f} s  {what}", file=sys.stderr, flush=True)
        return taken

    first = measure("first", None)
    measure("nothing changed", first)
    measure("nothing changed, again", first)
    for number, file in enumerate(random.Random(seed).sample(files, max(1, assets // 100))):
        other = 2 * 10**5 + number
        script = file.suffix in (".txt", ".fountain")
        _, data = material.script(other) if script else material.picture(other)
        file.write_bytes(data)
    measure("1 % of the files changed", first)
    register(index, originals, registered[works:])
    measure("1 % more works", first)
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, nargs="+", default=[], help="folders of pictures")
    parser.add_argument("--texts", type=Path, nargs="+", default=[], help="folders of scripts")
    parser.add_argument(
        "--work-images",
        type=Path,
        nargs="+",
        help="folders of the works' pictures (default: drawn)",
    )
    parser.add_argument("--assets", type=int, default=2000)
    parser.add_argument("--works", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    material = Material(options.images, options.texts, options.seed)
    protected = Material(options.work_images or [], [], options.seed + 1)
    with tempfile.TemporaryDirectory(prefix="clearance-costs-") as folder:
        place = Path(folder)
        print(measure(material, protected, place, options.assets, options.works, options.seed))


if __name__ == "__main__":
    main()
