"""A picture's local features as an index stores them: one row a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.stages.image import vlad as aggregate
from pipeline.stages.image.codebook import CODE_BYTES, Codebook, packed, unpacked
from pipeline.stages.image.feature_schema import FEWEST, SCHEMA
from pipeline.stages.image.pixel_agreement import SIDE, reduced
from pipeline.stages.image.sift import DIMS, Features, extract
from pipeline.stages.image.vlad import Aggregates

_PLACE = np.dtype([("x", "<u2"), ("y", "<u2"), ("size", "<f2"), ("angle", "<f2")])
_STEPS = 65535


@dataclass(frozen=True)
class Picture:
    """A row: one frame's features as they are compared."""

    frame: int
    features: Features
    descriptors: NDArray[np.float32]
    reduced: NDArray[np.uint8]


def read_frame(
    grey: NDArray[np.uint8], number: int, book: Codebook, aggregates: Aggregates
) -> tuple[int, tuple[Any, ...] | None]:
    """How many features a frame has, and its row in `SCHEMA`, None if they are too few.

    Args:
        grey: uint8 (height, width), as made by `pipeline.load.detail`.
        number: of the frame in its file.
        book: what descriptors are compressed with.
        aggregates: what they are aggregated with.
    """
    features, descriptors = extract(grey)
    if len(features) < FEWEST:
        return len(features), None
    cells = book.nearest_cells(descriptors)[0][:, 0]
    everything = np.ones((1, len(features)), np.bool_)
    places = np.empty(len(features), _PLACE)
    steps = np.rint(features.points * _STEPS).clip(0, _STEPS)
    places["x"], places["y"] = steps[:, 0], steps[:, 1]
    places["size"], places["angle"] = features.sizes, features.angles
    return len(features), (
        number,
        features.aspect,
        places.tobytes(),
        cells.astype("<u2").tobytes(),
        book.encode(descriptors, cells).tobytes(),
        packed(descriptors).tobytes(),
        reduced(grey).tobytes(),
        aggregates.encode(aggregates.vectors(descriptors, everything)).tobytes(),
    )


def check_form(rows: pa.RecordBatch | pa.Table) -> None:
    """Sees that rows are of this form. Raises ValueError if not."""
    if rows.schema.names != SCHEMA.names or any(
        rows.schema.field(field.name).type != field.type for field in SCHEMA
    ):
        raise ValueError("rows are not of the form of local_features")
    if any(rows.column(name).null_count for name in rows.schema.names):
        raise ValueError("a local_features row has a missing value")


def pictures(rows: pa.RecordBatch | pa.Table) -> list[Picture]:
    """Rows as they are compared.

    Raises:
        ValueError: if they are not of this stage's form.
    """
    check_form(rows)
    read = []
    for row in rows.to_pylist():
        places = row["places"]
        count = len(places) // _PLACE.itemsize
        if (
            count < FEWEST
            or len(places) != count * _PLACE.itemsize
            or len(row["cells"]) != 2 * count
            or len(row["codes"]) != CODE_BYTES * count
            or len(row["descriptors"]) != DIMS // 2 * count
            or len(row["reduced"]) != SIDE * SIDE
            or len(row["aggregate"]) != aggregate.CODE_BYTES
            or not 0 < row["aspect"] < np.inf
        ):
            raise ValueError("a local_features row is not of this stage's form")
        where = np.frombuffer(places, _PLACE)
        points = np.column_stack([where["x"], where["y"]]).astype(np.float32) / np.float32(_STEPS)
        sizes, angles = where["size"].astype(np.float32), where["angle"].astype(np.float32)
        if not (np.isfinite(angles).all() and (sizes > 0).all() and np.isfinite(sizes).all()):
            raise ValueError("a local_features row has a feature without size or direction")
        read.append(
            Picture(
                row["frame"],
                Features(points, sizes, angles, row["aspect"]),
                unpacked(np.frombuffer(row["descriptors"], np.uint8).reshape(count, DIMS // 2)),
                np.frombuffer(row["reduced"], np.uint8).reshape(SIDE, SIDE),
            )
        )
    return read
