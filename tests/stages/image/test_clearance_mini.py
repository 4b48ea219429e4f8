"""The packaged model: loads through open_clip, and finds copies."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from pipeline.stages.image import models
from training.synthetic import EDITS, picture

FOLDER = Path(models.__file__).parent / "clearance-mini"
WEIGHTS = FOLDER / "model.safetensors"
WORKS = range(9000, 9024)


@pytest.fixture(scope="module")
def loaded():
    with warnings.catch_warnings():
        # Deprecation warnings from inside the libraries can't be fixed here.
        warnings.simplefilter("ignore")
        open_clip.add_model_config(FOLDER)
        model, _, preprocess = open_clip.create_model_and_transforms(
            "clearance-mini",
            pretrained=str(WEIGHTS),
            require_pretrained=True,
            image_resize_mode="squash",
        )
    return model.eval(), preprocess


@pytest.fixture(scope="module")
def embed(loaded):
    model, preprocess = loaded

    def embed(images: list[np.ndarray]) -> np.ndarray:
        batch = torch.stack([preprocess(Image.fromarray(one)) for one in images])
        with torch.inference_mode():
            return model.encode_image(batch, normalize=True).numpy()

    return embed


@pytest.fixture(scope="module")
def works() -> list[np.ndarray]:
    return [picture(seed) for seed in WORKS]


@pytest.fixture(scope="module")
def index(embed, works) -> np.ndarray:
    return embed(works)


def test_weights_are_small_and_hold_no_pickle():
    assert WEIGHTS.stat().st_size <= 12_000_000
    with safe_open(WEIGHTS, framework="np") as stored:
        assert any(key.startswith("visual.") for key in stored.keys())  # noqa: SIM118


def test_weights_are_finite_everywhere(loaded):
    for name, value in loaded[0].state_dict().items():
        assert torch.isfinite(value.float()).all(), name


def test_embeddings_are_unit_vectors_of_the_stated_length(index):
    dims = json.loads((FOLDER / "clearance-mini.json").read_text())["embed_dim"]
    assert index.shape == (len(WORKS), dims)
    assert index.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(index, axis=1), 1, atol=1e-5)


def test_the_complete_picture_is_prepared(loaded):
    size = json.loads((FOLDER / "clearance-mini.json").read_text())["vision_cfg"]["image_size"]
    wide = np.zeros((50, 300, 3), np.uint8)
    wide[:, :20] = 255
    prepared = loaded[1](Image.fromarray(wide))
    assert prepared.shape == (3, size, size)
    assert prepared[0, :, 0].min() > prepared[0, :, -1].max()


def test_the_same_batch_gives_the_same_bytes(embed, works, index):
    assert embed(works).tobytes() == index.tobytes()


def test_order_and_size_of_a_batch_matter_little(embed, works, index):
    np.testing.assert_allclose(embed(works[::-1])[::-1], index, atol=1e-4)
    np.testing.assert_allclose(embed(works[:1]), index[:1], atol=1e-4)


def test_works_are_spread_out(index):
    similarities = index @ index.T
    assert np.median(similarities[~np.eye(len(index), dtype=bool)]) < 0.5


@pytest.mark.parametrize("name", ["jpeg", "crop80", "mirror", "banner", "aspect", "contrast"])
def test_an_edited_picture_is_nearest_to_its_original(name, embed, works, index):
    edited = [EDITS[name](one, np.random.default_rng(k)) for k, one in enumerate(works)]
    nearest = (embed(edited) @ index.T).argmax(1)
    assert np.mean(nearest == np.arange(len(works))) >= 0.9


@pytest.mark.slow
def test_edits_are_found_over_all(embed, works, index):
    right = []
    for place, edit in enumerate(EDITS.values()):
        chosen = [(place + k) % len(works) for k in range(6)]
        edited = [edit(works[k], np.random.default_rng(k)) for k in chosen]
        right += list((embed(edited) @ index.T).argmax(1) == chosen)
    assert np.mean(right) >= 0.75


def test_absent_weights_are_refused(tmp_path):
    open_clip.add_model_config(FOLDER)
    with pytest.raises(RuntimeError):
        open_clip.create_model(
            "clearance-mini",
            pretrained=str(tmp_path / "model.safetensors"),
            require_pretrained=True,
        )
