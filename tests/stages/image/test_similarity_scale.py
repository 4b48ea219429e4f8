"""The packaged pictures on which the scale of each embedding model is measured."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import ModelError
from pipeline.load.detail import has_detail
from pipeline.stages.image import similarity_scale
from pipeline.stages.image.similarity_scale import PAIRS, PAIRS_FOLDER, scale_pairs
from training.scale_pairs import pairs, write_pairs


def test_every_picture_has_an_edit_and_detail():
    pictures, edits = scale_pairs()
    assert len(pictures) == len(edits) == PAIRS
    assert len({one.tobytes() for one in [*pictures, *edits]}) == 2 * PAIRS
    for one in pictures:
        assert one.shape == (224, 224, 3)
        assert one.dtype == np.uint8
        assert has_detail(one)


def test_the_packaged_files_are_what_the_command_writes(tmp_path):
    write_pairs(tmp_path, 6)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 12
    for file in files:
        written = np.asarray(Image.open(file), int)
        packaged = np.asarray(Image.open(PAIRS_FOLDER / file.name), int)
        assert written.shape == packaged.shape
        # Nearly: another processor may round a sine otherwise.
        assert np.abs(written - packaged).mean() < 1


def test_files_are_written_without_loss(tmp_path):
    write_pairs(tmp_path, 2)
    drawn = [pixels for picture, _, edited in pairs(2) for pixels in (picture, edited)]
    names = ("00_picture", "00_edit_jpeg", "01_picture", "01_edit_crop80")
    for name, pixels in zip(names, drawn, strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"{name}.webp")), pixels)


def test_a_missing_or_damaged_file_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "pairs"
    shutil.copytree(PAIRS_FOLDER, folder)
    monkeypatch.setattr(similarity_scale, "PAIRS_FOLDER", folder)
    damaged = folder / "07_picture.webp"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"07_picture\.webp.*install Clearance again"):
        scale_pairs()
    damaged.unlink()
    with pytest.raises(ModelError, match="47 pictures and 48 edits"):
        scale_pairs()
