"""Draws the pictures on which the scale of each embedding model is measured.

    python -m training.scale_pairs pipeline/stages/image/scale_pairs

48 pictures of 224 × 224 pixels and one edit of each, as lossless WebP. Every index stores what its
model gave on the pictures that were there (`unrelated_cosine` and `copy_cosine`), so other pictures
make other indexes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.load.detail import has_detail
from training.synthetic import EDITS, picture

PAIRS = 48
SIDE = 224
FIRST_SEED = 900_000
"""Seeds that neither training nor validation draws from."""
EDIT_NAMES = ("jpeg", "crop80", "brightness", "banner", "mirror", "blur")
"""Eight pairs each."""


def pairs(count: int = PAIRS) -> Iterator[tuple[NDArray[np.uint8], str, NDArray[np.uint8]]]:
    """The first `count` pictures, each with the name of its edit and the edited copy."""
    number = 0
    seed = FIRST_SEED
    while number < count:
        drawn = picture(seed, SIDE)
        seed += 1
        if has_detail(drawn):
            name = EDIT_NAMES[number % len(EDIT_NAMES)]
            yield drawn, name, EDITS[name](drawn, np.random.default_rng(number))
            number += 1


def write_pairs(folder: Path, count: int = PAIRS) -> None:
    """Writes the first `count` pairs to `folder`, as `NN_picture.webp` and `NN_edit_NAME.webp`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (drawn, name, edited) in enumerate(pairs(count)):
        for file, pixels in (("picture", drawn), (f"edit_{name}", edited)):
            Image.fromarray(pixels).save(
                folder / f"{number:02}_{file}.webp", lossless=True, quality=100, method=6
            )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    write_pairs(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
