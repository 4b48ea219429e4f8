"""What the cosine similarities of an embedding model mean: its scale, measured on fixed pictures.

Cosine similarities differ from model to model: of two unrelated pictures they may be 0.1 or 0.7.
Each new model embeds the same 48 pictures and one edited copy of each, which come with the package
(`scale_pairs/README.md` says how they were made).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ModelError
from pipeline.stages.image.embedding_model import BATCH, EmbeddingModel

PAIRS_FOLDER = Path(__file__).with_name("scale_pairs")
PAIRS = 48
UNRELATED_QUANTILE = 0.99
"""Of the 48 × 47 similarities of unrelated pictures: the mean would call half of all unrelated
pairs similar, the maximum would hang on one pair."""


class Scale(NamedTuple):
    """What a model's cosine similarities mean, to four places.

    Attributes:
        unrelated: 99th percentile over pairs of unrelated pictures.
        copy: median over pictures and edits of them.
        largest_share: of the variance of the pictures' embeddings, in their first principal
            direction.
    """

    unrelated: float
    copy: float
    largest_share: float


def measured_scale(model: EmbeddingModel) -> Scale:
    """A model's scale.

    Raises:
        ModelError: if the packaged pictures can't be read.
    """
    pictures, edits = scale_pairs()
    vectors = model.embed(pictures, BATCH).astype(np.float64)
    copies = model.embed(edits, BATCH).astype(np.float64)
    across = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    unrelated = float(np.quantile(across, UNRELATED_QUANTILE))
    copy = float(np.median((vectors * copies).sum(axis=1)))
    variances = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False) ** 2
    # Embeddings that are all the same vary in no direction at all: as bad as in one.
    total = float(variances.sum())
    share = float(variances[0]) / total if total > 0 else 1.0
    return Scale(round(unrelated, 4), round(copy, 4), round(share, 4))


def scale_pairs() -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """The 48 pictures and an edited copy of each, in the same order.

    Returns:
        Two lists of uint8 (height, width, 3) sRGB.

    Raises:
        ModelError: if one of the files is missing or damaged.
    """
    pictures = sorted(PAIRS_FOLDER.glob("*_picture.webp"))
    edits = sorted(PAIRS_FOLDER.glob("*_edit_*.webp"))
    if not len(pictures) == len(edits) == PAIRS:
        raise ModelError(
            f"Of the {PAIRS} pairs of pictures that come with Clearance, {len(pictures)} pictures "
            f"and {len(edits)} edits are in {PAIRS_FOLDER}; install Clearance again."
        )
    return [_pixels(file) for file in pictures], [_pixels(file) for file in edits]


def _pixels(file: Path) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{file.name}, which comes with Clearance, can't be read "
            f"({getattr(error, 'strerror', None) or error}); install Clearance again."
        ) from error
