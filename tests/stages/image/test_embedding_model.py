"""Embedding models by name, over open_clip's real loading path, with tiny checkpoints made here."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import open_clip.pretrained
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline.core.errors import ModelError, Reason
from pipeline.core.records import Band, Outcome
from pipeline.drops.discover import asset_of
from pipeline.screening.config import load_config
from pipeline.screening.register import add_works, create_index
from pipeline.screening.screen import screen_assets
from pipeline.screening.stage_runner import open_runners, opening_keys
from pipeline.stages import clip_embedding
from pipeline.stages.clip_embedding import LARGEST_SHARE, ClipEmbedding
from pipeline.stages.image import embedding_model
from pipeline.stages.image.embedding_model import (
    MINI,
    MINI_FOLDER,
    EmbeddingModel,
    canonical,
    load_model,
    parse,
)
from pipeline.stages.image.similarity_scale import Scale, measured_scale
from reference_index.errors import SpecMismatchError
from reference_index.store import ReferenceIndex
from training.synthetic.pictures import picture

TEXT = {"context_length": 8, "vocab_size": 16, "width": 32, "heads": 2, "layers": 1}
VIT = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16,
    },
    "text_cfg": TEXT,
}  # fmt: skip
RESNET = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
    "text_cfg": TEXT,
}
TIMM = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64, "timm_model_name": "test_resnet", "timm_model_pretrained": False,
        "timm_pool": "avg", "timm_proj": "linear",
    },
    "text_cfg": TEXT,
    "custom_text": True,
}  # fmt: skip
COCA = {
    "embed_dim": 32,
    "vision_cfg": {
        **VIT["vision_cfg"], "attentional_pool": True, "attn_pooler_heads": 2,
        "output_tokens": True,
    },
    "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TEXT, "attn_pooler_heads": 2},
    "custom_text": True,
}  # fmt: skip
CONFIGS = {"vit": VIT, "resnet": RESNET, "timm": TIMM, "coca": COCA}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Models this small are slower with several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _fresh():
    """Models from a hub are cached without a file to watch: clear the cache between tests."""
    embedding_model._load.cache_clear()
    yield
    embedding_model._load.cache_clear()


def random_model(config, seed=0):
    """A model of this configuration, its weights drawn from `seed`."""
    wanted = {key: value for key, value in config.items() if key != "custom_text"}
    if "multimodal_cfg" in config:
        kind = open_clip.CoCa
    else:
        kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(**json.loads(json.dumps(wanted))).eval()


def save(model, path):
    """A checkpoint in the format that the file's suffix names."""
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def checkpoint(folder, config=VIT, seed=0, suffix=".pt", name="tiny"):
    """A model's name NAME:/path, with NAME.json in the checkpoint's folder."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(config))
    return f"{name}:{save(random_model(config, seed), folder / f'weights{suffix}')}"


def hub_folder(folder, config=VIT, seed=0, preprocess=None):
    """A folder as a hub repository and `local-dir:` have it."""
    folder.mkdir(exist_ok=True)
    whole = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    save(random_model(config, seed), folder / "open_clip_model.safetensors")
    return folder


def frame(height=64, width=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def expected(folder, frames):
    """The embeddings by open_clip itself, with its own transform."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    inputs = torch.stack([preprocess(Image.fromarray(one)) for one in frames])
    with torch.inference_mode():
        vectors = model.eval().encode_image(inputs)
    return (vectors / vectors.norm(dim=1, keepdim=True)).numpy()


# Names


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-32:", ":openai", "", ":"])
def test_a_name_without_weights_is_refused(name):
    with pytest.raises(ModelError, match="names no weights"):
        parse(name)


@pytest.mark.parametrize("name", ["hf-hub:", "local-dir:"])
def test_a_scheme_without_a_name_is_refused(name):
    with pytest.raises(ModelError, match="names nothing after its colon"):
        parse(name)


def test_an_unknown_model_suggests_near_ones():
    with pytest.raises(ModelError, match=r"has no model ViT-B32; did you mean .*ViT-B-32\b"):
        load_model("ViT-B32:openai")


def test_an_unknown_model_like_no_other_suggests_nothing():
    with pytest.raises(ModelError, match=r"has no model zzzzzz\.$"):
        load_model("zzzzzz:openai")


def test_an_unknown_tag_lists_the_tags():
    with pytest.raises(ModelError, match=r"neither a pretrained tag of ViT-B-32 nor.*laion2b_s34b"):
        load_model("ViT-B-32:laion2b")


def test_local_paths_are_stored_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = checkpoint(tmp_path / "m")
    assert canonical("tiny:m/weights.pt") == model
    assert canonical("local-dir:m") == f"local-dir:{tmp_path / 'm'}"
    for other in (MINI, "ViT-B-32:openai", "hf-hub:org/name"):
        assert canonical(other) == other


# Loading


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kind", list(CONFIGS))
def test_a_checkpoint_with_its_configuration_in_the_same_folder(kind, suffix, tmp_path):
    name = checkpoint(tmp_path, CONFIGS[kind], 3, suffix, f"tiny-{kind}")
    model = load_model(name)
    assert model.name == name
    assert model.size == (64, 64)
    frames = [frame(seed=1), frame(seed=2)]
    embeddings = model.embed(frames, 4)
    assert embeddings.shape == (2, 32)
    assert embeddings.dtype == np.float32
    inputs = torch.from_numpy(np.stack([model.prepared(one) for one in frames]))
    with torch.inference_mode():
        wanted = random_model(CONFIGS[kind], 3).encode_image(inputs).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings, wanted, atol=1e-5)


def test_the_form_of_the_file_does_not_change_the_digest_and_the_weights_do(tmp_path):
    digests = [
        load_model(checkpoint(tmp_path / str(n), VIT, seed, suffix)).weights_sha256
        for n, (seed, suffix) in enumerate([(0, ".pt"), (0, ".safetensors"), (1, ".pt")])
    ]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_a_local_folder_gives_what_open_clip_gives(kind, tmp_path):
    half = {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2], "resize_mode": "squash"}
    hub_folder(tmp_path, CONFIGS[kind], 5, half)
    model = load_model(f"local-dir:{tmp_path}")
    assert (model.mean, model.std) == ((0.5, 0.4, 0.3), (0.5, 0.25, 0.2))
    frames = [frame(seed=3), frame(seed=4)]
    np.testing.assert_allclose(model.embed(frames, 2), expected(tmp_path, frames), atol=1e-5)


def test_a_model_is_loaded_once_and_anew_when_its_files_change(tmp_path):
    name = checkpoint(tmp_path, seed=0)
    first = load_model(name)
    assert load_model(name) is first
    checkpoint(tmp_path, seed=1)
    second = load_model(name)
    assert second.weights_sha256 != first.weights_sha256
    heads = json.loads(json.dumps(VIT))
    heads["vision_cfg"]["head_width"] = 8
    (tmp_path / "tiny.json").write_text(json.dumps(heads))
    third = load_model(name)
    assert third.weights_sha256 == second.weights_sha256
    assert not np.array_equal(third.embed([frame()], 1), second.embed([frame()], 1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "can't be read"),
        ('{"embed_dim": 8}', "it has no vision_cfg, text_cfg"),
        ("[1]", "it has no embed_dim"),
    ],
)
def test_a_bad_configuration_is_refused_and_a_good_one_still_loads(config, message, tmp_path):
    name = checkpoint(tmp_path / "bad", name="bad")
    (tmp_path / "bad" / "bad.json").write_text(config)
    with pytest.raises(ModelError, match=message):
        load_model(name)
    assert load_model(checkpoint(tmp_path / "good")).size == (64, 64)


def test_weights_that_do_not_fit_or_are_damaged_are_refused(tmp_path):
    name = checkpoint(tmp_path)
    file = tmp_path / "weights.pt"
    save(random_model({**VIT, "embed_dim": 16}), file)
    with pytest.raises(ModelError, match=r"can't be used: .*size mismatch"):
        load_model(name)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="can't be used"):
        load_model(name)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    name = checkpoint(tmp_path)
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (ran,))

    torch.save({"state_dict": Evil()}, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="can't be used"):
        load_model(name)
    assert not ran.exists()


def test_absent_local_weights_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"are not at .*gone\.pt"):
        load_model(f"ViT-B-32:{tmp_path / 'gone.pt'}")
    with pytest.raises(ModelError, match="are not at"):
        load_model(f"local-dir:{tmp_path / 'gone'}")
    hub_folder(tmp_path)
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="Required pretrained weights"):
        load_model(f"local-dir:{tmp_path}")


# Fetching


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one repository, in `folder`; `requests` lists the requested files."""

    class Hub:
        folder = hub_folder(tmp_path / "hub")
        requests: list[tuple[str, str]] = []  # noqa: RUF012

        @classmethod
        def download(cls, repo_id, filename, revision=None, cache_dir=None):
            cls.requests.append((repo_id, filename))
            if not (cls.folder / filename).is_file():
                raise FileNotFoundError(filename)
            return str(cls.folder / filename)

    Hub.requests = []
    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", Hub.download)
    return Hub


def test_a_hub_model_is_fetched_by_its_name(hub):
    model = load_model("hf-hub:org/tiny")
    assert hub.requests == [
        ("org/tiny", "open_clip_config.json"),
        ("org/tiny", "open_clip_model.safetensors"),
    ]
    assert model.weights_sha256 == load_model(f"local-dir:{hub.folder}").weights_sha256


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B/32"])
@pytest.mark.parametrize(
    ("tag", "repository", "quick"),
    [
        ("laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", False),
        ("openai", "timm/vit_base_patch32_clip_224.openai", True),
    ],
)
def test_a_tag_is_fetched_and_built_as_it_was_trained(
    name, tag, repository, quick, hub, monkeypatch
):
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", VIT)
    models = []
    create = open_clip.create_model
    monkeypatch.setattr(
        open_clip, "create_model", lambda *a, **k: models.append(create(*a, **k)) or models[-1]
    )
    load_model(f"{name}:{tag}")
    assert hub.requests == [(repository, "open_clip_model.safetensors")]
    gelus = {type(part).__name__ for part in models[0].visual.modules()}
    assert ("QuickGELU" in gelus) is quick


def test_a_hub_model_without_weights_is_not_made_of_random_ones(hub):
    (hub.folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="could not be fetched"):
        load_model("hf-hub:org/tiny")


@pytest.mark.parametrize("name", ["hf-hub:org/none", "ViT-B-32:laion2b_s34b_b79k"])
def test_without_a_network_the_error_says_what_to_do(name, monkeypatch):
    def refused(**arguments):
        raise ConnectionError("Network is unreachable\nand more")

    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", refused)
    with pytest.raises(ModelError) as caught:
        load_model(name)
    assert str(caught.value) == (
        f"The weights of the model {name} are not on this machine and could not be fetched "
        "(ConnectionError); check the name and connect once to fetch them, or give a local "
        "checkpoint as NAME:/path/to/checkpoint."
    )


def test_an_error_that_is_not_the_networks_is_not_reported_as_such(hub):
    config = {**VIT, "vision_cfg": {**VIT["vision_cfg"], "unheard_of": 1}}
    (hub.folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": {}})
    )
    with pytest.raises(ModelError, match=r"org/tiny can't be used: .*unheard_of"):
        load_model("hf-hub:org/tiny")


# Preprocessing


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """The same model with each of open_clip's resize modes, and its folder."""
    models = {}
    for mode in ("shortest", "longest", "squash"):
        folder = hub_folder(
            tmp_path_factory.mktemp(mode), VIT, 2, {"resize_mode": mode, "fill_color": 40}
        )
        models[mode] = load_model(f"local-dir:{folder}"), folder
    return models


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize(("height", "width"), [(100, 300), (300, 100), (128, 128)])
def test_the_edge_of_a_picture_changes_its_embedding(mode, edge, height, width, fits):
    model = fits[mode][0]
    one = frame(height, width)
    other = one.copy()
    band = {
        "left": np.s_[:, :6], "right": np.s_[:, -6:], "top": np.s_[:6], "bottom": np.s_[-6:],
    }[edge]  # fmt: skip
    other[band] = 255
    a, b = model.embed([one, other], 2)
    assert np.abs(a - b).max() > 1e-4


def test_longest_pads_as_open_clip_does(fits):
    model, folder = fits["longest"]
    frames = [frame(32, 64), frame(64, 20), frame(64, 64)]
    np.testing.assert_allclose(model.embed(frames, 3), expected(folder, frames), atol=1e-5)
    fill = (40 / 255 - np.array(model.mean)) / np.array(model.std)
    np.testing.assert_allclose(model.prepared(frames[0])[:, 0, 0], fill, rtol=1e-5)


def test_shortest_is_fitted_whole_and_padded_with_the_mean(fits):
    model, folder = fits["shortest"]
    np.testing.assert_allclose(model.embed([frame()], 1), expected(folder, [frame()]), atol=1e-5)
    prepared = model.prepared(frame(32, 64))
    assert not prepared[:, :16].any()
    assert not prepared[:, 48:].any()
    back = prepared[:, 16:48].transpose(1, 2, 0) * model.std + model.mean
    np.testing.assert_allclose(back * 255, frame(32, 64), atol=0.01)


def test_squash_fills_the_input(fits):
    wide = np.zeros((50, 300, 3), np.uint8)
    wide[:, :150] = 255
    prepared = fits["squash"][0].prepared(wide)
    assert (prepared[:, :, :30] > 0).all()
    assert (prepared[:, :, 34:] < 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (7, 3)])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_any_shape_can_be_prepared(shape, mode, fits):
    prepared = fits[mode][0].prepared(frame(*shape))
    assert prepared.shape == (3, 64, 64)
    assert prepared.dtype == np.float32
    assert np.isfinite(prepared).all()


def test_neighbours_change_no_byte(fits):
    model = fits["shortest"][0]
    frames = [frame(seed=n) for n in range(7)]
    together = model.embed(frames, 4)
    one_by_one = np.concatenate([model.embed([one], 4) for one in frames])
    assert together.tobytes() == one_by_one.tobytes()


@pytest.mark.parametrize(("value", "message"), [(0.0, "zeros only"), (float("nan"), "not finite")])
def test_an_embedding_of_zeros_or_nan_is_refused(value, message, tmp_path):
    model = random_model(VIT)
    with torch.no_grad():
        model.visual.proj.fill_(value)
    (tmp_path / "tiny.json").write_text(json.dumps(VIT))
    loaded = load_model(f"tiny:{save(model, tmp_path / 'w.pt')}")
    with pytest.raises(ModelError, match=message):
        loaded.embed([frame()], 1)


# Random weights


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_random_towers_are_refused_for_a_new_index(kind, seed, tmp_path):
    name = checkpoint(tmp_path, CONFIGS[kind], seed, name=f"random-{kind}")
    with pytest.raises(ModelError, match="may be random"):
        ClipEmbedding.create(model=name)


def test_the_trained_tower_with_its_weights_shuffled_is_refused(tmp_path):
    shutil.copy(MINI_FOLDER / f"{MINI}.json", tmp_path / "shuffled.json")
    rng = np.random.default_rng(0)
    state = {
        key: torch.from_numpy(rng.permutation(value.numpy().reshape(-1))).reshape(value.shape)
        for key, value in load_file(MINI_FOLDER / "model.safetensors").items()
    }
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="may be random"):
        ClipEmbedding.create(model=f"shuffled:{tmp_path / 'w.safetensors'}")


def test_the_trained_tower_passes():
    scale = measured_scale(load_model(MINI))
    # Stored in every index: the last digit may round differently on another processor.
    assert scale.unrelated == pytest.approx(0.1353, abs=2e-4)
    assert scale.copy == pytest.approx(0.7754, abs=2e-4)
    assert scale.largest_share < LARGEST_SHARE


def test_the_scale_of_known_embeddings():
    def model(encode):
        return EmbeddingModel("known", encode, (8, 8), (0.5,) * 3, (0.25,) * 3, "squash", 0, "0")

    same = measured_scale(model(lambda inputs: torch.ones(len(inputs), 4)))
    assert same == Scale(1.0, 1.0, 1.0)
    pixels = measured_scale(model(lambda inputs: inputs.flatten(1)))
    assert pixels.unrelated < pixels.copy <= 1.0
    assert 0 < pixels.largest_share < 1


# With an index


@pytest.fixture
def tiny_index(tmp_path, monkeypatch):
    """An index of two pictures by a tiny model with a fixed scale; and the model's file."""
    monkeypatch.setattr(clip_embedding, "measured_scale", lambda model: Scale(0.5, 1.0, 0.1))
    name = checkpoint(tmp_path / "model")
    works = tmp_path / "works"
    works.mkdir()
    for n in range(2):
        Image.fromarray(picture(9100 + n, 160)).save(works / f"{n}.png")
    created = create_index(tmp_path / "index", model=name)
    assert created.specs["clip_embedding"].weights_sha256 == load_model(name).weights_sha256
    add_works(tmp_path / "index", works)
    return tmp_path / "index", Path(name.removeprefix("tiny:"))


def judged(index_path, tmp_path, seed):
    """The row of one drawn picture, screened against the index."""
    config = load_config()
    index = ReferenceIndex.open(index_path)
    file = tmp_path / f"asset-{seed}.bmp"
    Image.fromarray(picture(seed, 160)).save(file)
    runners = open_runners(index, config.stage_settings)
    [done] = screen_assets([asset_of(file, file.name)], index, runners, config)
    return done.row


def outcome(row, stage="clip_embedding"):
    return next(one for one in row.outcomes if one.stage == stage)


def test_an_index_by_a_checkpoint_screens_with_it(tiny_index, tmp_path):
    row = judged(tiny_index[0], tmp_path, 9100)
    assert outcome(row).outcome is Outcome.MATCHED
    assert row.matches[0].measures["clip_similarity"] == pytest.approx(1, abs=1e-4)


def test_other_weights_than_the_indexs_are_refused_by_name(tiny_index):
    index, file = tiny_index
    save(random_model(VIT, 1), file)
    with pytest.raises(SpecMismatchError, match=r"other weights of tiny:.*index create"):
        open_runners(ReferenceIndex.open(index), load_config().stage_settings)


def runners_as_before(index):
    """Opens the runners again by keys of an earlier opening: all, and the embedding stage's."""
    settings = load_config().stage_settings
    opened = ReferenceIndex.open(index)
    keys = opening_keys(open_runners(opened, settings))
    assert len(keys) == 1

    def again():
        runners = open_runners(opened, settings, keys)
        return runners, next(one for one in runners if one.name == "clip_embedding")

    return again


def test_a_reopened_stage_loads_its_model_at_the_first_picture_with_equal_evidence(
    tiny_index, tmp_path, monkeypatch
):
    row = judged(tiny_index[0], tmp_path, 9100)
    again = runners_as_before(tiny_index[0])
    loads = []
    load = clip_embedding.load_model
    monkeypatch.setattr(clip_embedding, "load_model", lambda name: loads.append(name) or load(name))
    runners, runner = again()
    assert runner.stage.spec == ReferenceIndex.open(tiny_index[0]).specs["clip_embedding"]
    assert not loads
    file = tmp_path / "again.bmp"
    Image.fromarray(picture(9100, 160)).save(file)
    asset = asset_of(file, file.name)
    [done] = screen_assets([asset], ReferenceIndex.open(tiny_index[0]), runners, load_config())
    assert len(loads) == 1
    assert outcome(done.row).evidence == outcome(row).evidence


@pytest.mark.parametrize("change", ["other weights", "no weights"])
def test_changed_weights_are_detected_when_a_stage_is_reopened(tiny_index, change):
    index, file = tiny_index
    again = runners_as_before(index)
    if change == "no weights":
        file.unlink()
        assert again()[1].absent.reason is Reason.NO_WEIGHTS
        return
    save(random_model(VIT, 1), file)
    with pytest.raises(SpecMismatchError, match="other weights of tiny:"):
        again()


def test_weights_deleted_after_opening_are_a_failed_stage(tiny_index, tmp_path):
    index, file = tiny_index
    runners, _ = runners_as_before(index)()
    file.unlink()
    load_model.__globals__["_load"].cache_clear()
    asset_file = tmp_path / "asset.bmp"
    Image.fromarray(picture(9100, 160)).save(asset_file)
    asset = asset_of(asset_file, asset_file.name)
    [done] = screen_assets([asset], ReferenceIndex.open(index), runners, load_config())
    assert outcome(done.row).outcome is Outcome.FAILED


def test_without_the_weights_the_stage_is_skipped_and_the_row_is_partly_screened(
    tiny_index, tmp_path
):
    index, file = tiny_index
    file.unlink()
    row = judged(index, tmp_path, 9150)
    skipped = outcome(row)
    assert (skipped.outcome, skipped.reason) == (Outcome.SKIPPED, Reason.NO_WEIGHTS)
    assert str(file) in skipped.detail
    assert outcome(row, "perceptual_hash").outcome is Outcome.NO_MATCH
    assert row.band is Band.PARTLY_SCREENED
    assert row.risk is None


def test_works_cannot_be_added_without_the_weights(tiny_index, tmp_path):
    index, file = tiny_index
    file.unlink()
    Image.fromarray(picture(9102, 160)).save(tmp_path / "works" / "new.png")
    before = ReferenceIndex.open(index).version
    with pytest.raises(ModelError, match="are not at"):
        add_works(index, tmp_path / "works")
    assert ReferenceIndex.open(index).version == before


def test_a_scale_that_create_could_store_is_taken_back(tiny_index):
    spec = ReferenceIndex.open(tiny_index[0]).specs["clip_embedding"]
    assert spec.parameters["copy_cosine"] == 1.0
    for unrelated, copy in ((1.0, 1.0), (0.9, 0.8), (None, 1.0), (0.5, 1.5), (float("nan"), 1.0)):
        changed = {**spec.parameters, "unrelated_cosine": unrelated, "copy_cosine": copy}
        with pytest.raises(SpecMismatchError, match="are not cosines"):
            ClipEmbedding.from_spec(replace(spec, parameters=changed))
