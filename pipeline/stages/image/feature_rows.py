"""A picture's local features as an index stores them: one row a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.stages.base import check_rows
from pipeline.stages.image import vlad
from pipeline.stages.image.codebook import CODE_BYTES, Codebook, packed, unpacked
from pipeline.stages.image.feature_schema import FEWEST, SCHEMA
from pipeline.stages.image.pixel_agreement import SIDE, reduced
from pipeline.stages.image.sift import DIMS, Features, extract
from pipeline.stages.image.vlad import VladCodebook

_KEYPOINT = np.dtype([("x", "<u2"), ("y", "<u2"), ("size", "<f2"), ("angle", "<f2")])
_STEPS = 65535
"""Of x and y, from 0 to 1: all of uint16."""


@dataclass(frozen=True)
class Picture:
    """A stored row, decoded: one frame's features.

    Attributes:
        frame: number of the frame in its file.
        features: its keypoints.
        descriptors: float32 (n, 128) RootSIFT, as precise as they are stored.
        reduced: uint8 (128, 128), the thumbnail.
    """

    frame: int
    features: Features
    descriptors: NDArray[np.float32]
    reduced: NDArray[np.uint8]


def read_frame(
    grey: NDArray[np.uint8], number: int, codebook: Codebook, vlad_codebook: VladCodebook
) -> tuple[int, tuple[Any, ...] | None]:
    """How many features a frame has, and its row in `SCHEMA`, None if they are too few.

    Args:
        grey: uint8 (height, width), as made by `pipeline.load.detail`.
        number: of the frame in its file.
        codebook: of the descriptors.
        vlad_codebook: of the VLAD vector.
    """
    features, descriptors = extract(grey)
    if len(features) < FEWEST:
        return len(features), None
    cells = codebook.nearest_centroids(descriptors)[0][:, 0]
    everything = np.ones((1, len(features)), np.bool_)
    keypoints = np.empty(len(features), _KEYPOINT)
    steps = np.rint(features.points * _STEPS).clip(0, _STEPS)
    keypoints["x"], keypoints["y"] = steps[:, 0], steps[:, 1]
    keypoints["size"], keypoints["angle"] = features.sizes, features.angles
    return len(features), (
        number,
        features.aspect,
        keypoints.tobytes(),
        cells.astype("<u2").tobytes(),
        codebook.encode(descriptors, cells).tobytes(),
        packed(descriptors).tobytes(),
        reduced(grey).tobytes(),
        vlad_codebook.encode(vlad_codebook.aggregate(descriptors, everything)).tobytes(),
    )


def pictures(rows: pa.RecordBatch | pa.Table) -> list[Picture]:
    """Decodes stored rows.

    Raises:
        ValueError: if they are not of this stage's form.
    """
    check_rows(rows, SCHEMA, "local_features")
    decoded = []
    for row in rows.to_pylist():
        places = row["places"]
        count = len(places) // _KEYPOINT.itemsize
        if (
            count < FEWEST
            or len(places) != count * _KEYPOINT.itemsize
            or len(row["cells"]) != 2 * count
            or len(row["codes"]) != CODE_BYTES * count
            or len(row["descriptors"]) != DIMS // 2 * count
            or len(row["reduced"]) != SIDE * SIDE
            or len(row["aggregate"]) != vlad.CODE_BYTES
            or not 0 < row["aspect"] < np.inf
        ):
            raise ValueError("a local_features row is not of this stage's form")
        keypoints = np.frombuffer(places, _KEYPOINT)
        points = np.column_stack([keypoints["x"], keypoints["y"]]).astype(np.float32)
        points /= np.float32(_STEPS)
        sizes, angles = (keypoints[name].astype(np.float32) for name in ("size", "angle"))
        if not (np.isfinite(angles).all() and (sizes > 0).all() and np.isfinite(sizes).all()):
            raise ValueError("a local_features row has a feature without size or direction")
        decoded.append(
            Picture(
                row["frame"],
                Features(points, sizes, angles, row["aspect"]),
                unpacked(np.frombuffer(row["descriptors"], np.uint8).reshape(count, DIMS // 2)),
                np.frombuffer(row["reduced"], np.uint8).reshape(SIDE, SIDE),
            )
        )
    return decoded
