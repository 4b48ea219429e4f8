"""A drop, an index and scans of them, small enough to scan many times."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.results.files import StoredRun, read_run
from pipeline.scan.run import ScanResult, scan
from pipeline.scan.settings import load_settings
from pipeline.screening.register import add_works, create_index
from training.synthetic import picture

WORDS = [a + b for a in ("lan", "mer", "tor", "vel", "sab", "quin")
         for b in ("tern", "ido", "ash", "orel", "umi", "est", "ane", "ibor", "ock")]  # fmt: skip

SIDE = 128


def png(seed: int, side: int = SIDE) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(picture(seed, side)).save(sink, "PNG")
    return sink.getvalue()


def jpeg(seed: int, quality: int = 80) -> bytes:
    """The picture of `png(seed)`, compressed: a copy of it with other bytes."""
    sink = io.BytesIO()
    Image.fromarray(picture(seed, SIDE)).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def words(seed: int, number: int = 60) -> bytes:
    drawn = random.Random(seed)
    return (" ".join(drawn.choice(WORDS) for _ in range(number)) + "\n").encode()


class Studio:
    """A folder with a drop, an index, configurations and scan directories."""

    def __init__(self, folder: Path, index: Path | None = None) -> None:
        self.folder, self.drop = folder, folder / "drop"
        self.index = index or folder / "index"
        self.drop.mkdir(parents=True)
        if index is None:
            create_index(self.index)
        self.screening: dict[str, Any] = {}
        self.scans = 0

    def put(self, name: str, data: bytes) -> Path:
        file = self.drop / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def works(self, **files: bytes) -> None:
        """Registers works: by id, a file's bytes."""
        place = self.folder / "works"
        place.mkdir(exist_ok=True)
        rows = []
        for work, data in files.items():
            name = work + (".png" if data.startswith(b"\x89PNG") else ".txt")
            (place / name).write_bytes(data)
            rows.append((work, work.title(), "An Owner", "protected", name))
        with (place / "works.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [("work_id", "title", "rightsholder", "rights", "path"), *rows]
            )
        add_works(self.index, place / "works.csv")

    def config(self, out: str = "scan", **more: Any) -> Path:
        """The configuration of scans into a scan directory."""
        screening = self.folder / "screening.yaml"
        screening.write_text(json.dumps(self.screening), encoding="utf-8")
        path = self.folder / f"{out}.yaml"
        settings = {
            "index": str(self.index),
            "out": out,
            "screening": "screening.yaml",
            "drops": {"a": {"path": "drop", "settle": {"seconds": 0}, "may_be_empty": True}},
            **more,
        }
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    def out(self, out: str = "scan") -> Path:
        return self.folder / out

    def scan(self, out: str = "scan", **more: Any) -> ScanResult:
        """A scan in this process."""
        return scan(load_settings(self.config(out, **more)))

    def read(self, out: str = "scan") -> StoredRun:
        """The scan results that `latest` points to."""
        return read_run(self.out(out) / "latest")


def bands(run: StoredRun) -> dict[str, str]:
    columns = (run.risk_rows.column(name).to_pylist() for name in ("asset_path", "band"))
    return dict(zip(*columns, strict=True))
