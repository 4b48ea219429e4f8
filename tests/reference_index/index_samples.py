"""Small made-up works, fingerprints and indexes for the tests of the reference index."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from reference_index.interface import FingerprintSpec, Work, WorkFile
from reference_index.store import ReferenceIndex, RegisteredFile

SCHEMAS = {
    "bits": pa.schema([("hash", pa.binary(8)), ("quality", pa.float32())]),
    "vectors": pa.schema([("vector", pa.list_(pa.float16(), 4))]),
    "passages": pa.schema(
        [
            ("start", pa.int64()),
            ("signature", pa.list_(pa.uint32(), 8)),
            ("grams", pa.list_(pa.uint64())),
            ("label", pa.string()),
        ]
    ),
}
SPECS = [
    FingerprintSpec(name, f"{name}/1", {"size": 8, "share": 0.1}, None, {"numpy": "2"}, "canary")
    for name in SCHEMAS
]


def rows_of(stage: str, count: int, seed: int) -> pa.RecordBatch:
    rng = np.random.default_rng([seed, len(stage)])
    schema = SCHEMAS[stage]
    if stage == "bits":
        columns = [
            pa.array([rng.bytes(8) for _ in range(count)], schema.field(0).type),
            pa.array(rng.random(count, dtype=np.float32)),
        ]
    elif stage == "vectors":
        values = pa.array(rng.standard_normal(count * 4).astype(np.float16))
        columns = [pa.FixedSizeListArray.from_arrays(values, type=schema.field(0).type)]
    else:
        values = pa.array(rng.integers(0, 1 << 32, count * 8, dtype=np.uint32))
        grams = [rng.integers(0, 1 << 60, n).tolist() for n in rng.integers(0, 4, count)]
        columns = [
            pa.array(np.arange(count, dtype=np.int64)),
            pa.FixedSizeListArray.from_arrays(values, type=schema.field(1).type),
            pa.array(grams, schema.field(2).type),
            pa.array([f"scène {n}" for n in range(count)]),
        ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def registered(
    work_id: str, number: int = 0, *, title: str | None = None, note: str = "", text: str = ""
) -> RegisteredFile:
    """A file of a work. Even numbers are pictures, odd ones scripts; every value follows from
    the work's id and the number."""
    name = f"{work_id}/{number}"
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    picture = number % 2 == 0
    stages = ("bits", "vectors") if picture else ("passages",)
    return RegisteredFile(
        Work(work_id, title or f"Title of {work_id}", "Someone", "protected", {"year": "1921"}),
        WorkFile(
            work_id,
            f"{name}.png" if picture else f"{name}.txt",
            hashlib.sha256(name.encode()).hexdigest(),
            "image" if picture else "script",
            "PNG" if picture else "txt",
            seed % 10_000,
            note,
        ),
        {stage: rows_of(stage, 1 + seed % 3, seed) for stage in stages},
        b"\xff\xd8" + name.encode() if picture else None,
        None if picture else (text or f"The whole text of {name}, ünïcode and all."),
    )


def make_index(path: Path, *, keep_content: bool = True) -> ReferenceIndex:
    return ReferenceIndex.create(path, SPECS, SCHEMAS, keep_content=keep_content)


def contents(index: ReferenceIndex) -> dict[str, object]:
    """All that a reader can see, for comparison."""
    return {
        "works": index.works,
        "files": index.files,
        "digest": index.digest,
        **{
            stage: (
                index.entries(stage).rows.to_pylist(),
                index.entries(stage).file_of_row.tolist(),
            )
            for stage in SCHEMAS
        },
    }
