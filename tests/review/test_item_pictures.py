"""Pictures that are served: made from pixels of what was screened, and laid in place."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import RunError
from pipeline.report.overlap import Placement, placement
from pipeline.review.item.pictures import EDGE, Pictures, laid_onto

HALF = "0.5 0 0.25 0 0.5 0.25 0 0 1"
"""The work at half its size, in the middle of the asset."""


def decoded(webp: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(webp))
    assert image.format == "WEBP"
    return image


@pytest.fixture
def drop(tmp_path, photos):
    folder = tmp_path / "drop"
    folder.mkdir()
    photos["chelsea"].save(folder / "cat.jpg", exif=b"Exif\x00\x00secret place", quality=95)
    Image.new("RGB", (4000, 2500), "teal").save(folder / "large.png")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    return folder


def row(drop, name, **changes):
    data = (drop / name).read_bytes()
    return {
        "asset_path": name, "asset_id": hashlib.sha256(data).hexdigest(), "kind": "image",
        "size": len(data), **changes,
    }  # fmt: skip


def test_an_asset_is_encoded_anew_from_its_pixels(drop, photos):
    served = Pictures({"drop": str(drop)}).asset(row(drop, "cat.jpg"), None)
    image = decoded(served)
    assert image.size == photos["chelsea"].size
    assert b"secret place" not in served
    difference = np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(photos["chelsea"], int))
    assert difference.mean() < 5


def test_large_pictures_are_made_smaller(drop):
    image = decoded(Pictures({"drop": str(drop)}).asset(row(drop, "large.png"), None))
    assert max(image.size) <= EDGE


def test_other_bytes_than_were_screened_are_not_served(drop, photos):
    cat = row(drop, "cat.jpg")
    photos["coffee"].save(drop / "cat.jpg")
    pictures = Pictures({"drop": str(drop)})
    with pytest.raises(RunError, match="other content than was screened"):
        pictures.asset(cat, None)
    sides = pictures.sides(cat, None)
    assert sides.asset is None
    assert "other content than was screened" in sides.why_no_asset


def test_what_is_put_back_is_served_again(drop):
    cat, data = row(drop, "cat.jpg"), (drop / "cat.jpg").read_bytes()
    pictures = Pictures({"drop": str(drop)})
    (drop / "cat.jpg").unlink()
    with pytest.raises(RunError, match="can't be read"):
        pictures.asset(cat, None)
    (drop / "cat.jpg").write_bytes(data)
    assert decoded(pictures.asset(cat, None)).size


def test_an_svg_is_never_served(drop):
    with pytest.raises(RunError):
        Pictures({"drop": str(drop)}).asset(row(drop, "drawing.svg"), None)


def test_without_the_index_there_is_no_work_and_a_sentence_why(drop):
    match = {"work_id": "w", "work_file_local_features": "w.png"}
    sides = Pictures({"drop": str(drop)}).sides(row(drop, "cat.jpg"), match)
    assert sides.asset is not None
    assert sides.work is None
    assert "not there as it was" in sides.why_no_work


def test_the_work_is_laid_where_the_transform_says_and_nowhere_else():
    asset = np.zeros((100, 200, 3), np.uint8)
    work = np.full((50, 100, 3), (200, 40, 40), np.uint8)
    placed = placement(HALF)
    assert isinstance(placed, Placement)
    laid = laid_onto(asset, work, placed, negative=False, even=False)
    assert laid.shape == (100, 200, 4)
    assert laid[50, 100].tolist() == [200, 40, 40, 255]
    assert laid[10, 10, 3] == laid[50, 20, 3] == laid[90, 100, 3] == 0
    assert (laid[..., 3] > 127).mean() == pytest.approx(0.25, abs=0.02)


def test_of_a_negative_the_work_is_inverted():
    placed = placement(HALF)
    assert isinstance(placed, Placement)
    asset, work = np.zeros((90, 90, 3), np.uint8), np.full((30, 30, 3), 250, np.uint8)
    laid = laid_onto(asset, work, placed, negative=True, even=False)
    assert laid[45, 45, :3].tolist() == [5, 5, 5]
