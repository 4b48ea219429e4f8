"""An index of many works with ids as catalogues have them, made without decoding anything."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from reference_index.interface import FingerprintSpec, Work, WorkFile
from reference_index.store import ReferenceIndex, RegisteredFile

IDS = (
    "FILM-{}",
    "Bild-ÄÖÜ-{}",
    "作品-{}",
    "Œuvre·Été·{}",
    "KATALOG/2026/Abteilung-Süd/Serie-Nachtzug/Standbild-mit-langem-Namen-{}",
)
HOLDERS = ("Galerie Müller & Söhne", "Éditions Lumière", "東京フィルム株式会社", "Ada Example")


def index_of_many(path: Path, works: int) -> Path:
    """Makes an index with a stage of one number for each file."""
    schema = pa.schema([("number", pa.int64())])
    index = ReferenceIndex.create(
        path, [FingerprintSpec("numbers", "numbers/1")], {"numbers": schema}
    )
    index.add(_file(number, schema) for number in range(works))
    return path


def _file(number: int, schema: pa.Schema) -> RegisteredFile:
    work_id = IDS[number % len(IDS)].format(f"{number:04d}")
    work = Work(
        work_id,
        f"Standbild {number} aus einem Film mit einem recht langen Titel",
        HOLDERS[number % len(HOLDERS)],
        "protected",
    )
    file_id = hashlib.sha256(work_id.encode()).hexdigest()
    file = WorkFile(work_id, f"stills/{number}.png", file_id, "image", "PNG", 1000 + number)
    return RegisteredFile(
        work, file, {"numbers": pa.RecordBatch.from_pylist([{"number": number}], schema=schema)}
    )
