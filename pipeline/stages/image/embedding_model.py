"""Embedding models: any open_clip image tower by name, with its weights identified.

A model is named as

    clearance-mini              the tower that comes with Clearance
    NAME:TAG                    an open_clip architecture and pretrained tag
    NAME:/path/to/checkpoint    an open_clip architecture (or a NAME.json beside the checkpoint)
    hf-hub:ORG/NAME             a model on the Hugging Face hub
    local-dir:/path             a folder with open_clip_config.json and weights

Weights are always required: open_clip itself would continue with random ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ModelError

if TYPE_CHECKING:
    import torch

MINI = "clearance-mini"
MINI_FOLDER = Path(__file__).resolve().parent / "models" / MINI
SCHEMES = ("hf-hub:", "local-dir:")
BATCH = 16
"""Pictures that a model embeds at a time."""

Fit = Literal["squash", "pad", "longest"]
"""How a picture of another aspect ratio is resized to the model's input, without cropping: squashed
to it; fitted and padded with the mean (for models that crop, open_clip's resize mode `shortest`);
or fitted and padded as in training (its resize mode `longest`)."""


@dataclass(frozen=True)
class Source:
    """A parsed model name.

    Attributes:
        model: open_clip's name of the model, including the scheme.
        pretrained: tag or path of a checkpoint; None for names with a scheme.
        config: a model configuration to register with open_clip, if it is not built in.
    """

    model: str
    pretrained: str | None = None
    config: Path | None = None

    @property
    def local(self) -> Path | None:
        """File or folder of the weights, if they are local."""
        if self.model.startswith("local-dir:"):
            return Path(self.model.removeprefix("local-dir:"))
        if self.pretrained and (os.sep in self.pretrained or Path(self.pretrained).is_file()):
            return Path(self.pretrained)
        return None


def canonical(name: str) -> str:
    """A model's name with any local path absolute, as it is stored in an index."""
    if name.startswith("local-dir:"):
        return f"local-dir:{Path(name.removeprefix('local-dir:')).resolve()}"
    model, colon, pretrained = name.partition(":")
    if colon and not name.startswith("hf-hub:") and Path(pretrained).is_file():
        return f"{model}:{Path(pretrained).resolve()}"
    return name


def parse(name: str) -> Source:
    """Parses a model's name.

    Raises:
        ModelError: if it names no weights.
    """
    if name == MINI:
        return Source(MINI, str(MINI_FOLDER / "model.safetensors"), MINI_FOLDER / f"{MINI}.json")
    if name.startswith(SCHEMES):
        if not name.partition(":")[2]:
            raise ModelError(f"The model {name!r} names nothing after its colon.")
        return Source(name)
    model, _, pretrained = name.partition(":")
    if not model or not pretrained:
        raise ModelError(
            f"The model {name!r} names no weights, and random ones would match nothing; give "
            f"NAME:TAG (such as ViT-B-32:laion2b_s34b_b79k), NAME:/path/to/checkpoint, or {MINI}."
        )
    # open_clip accepts ViT-B/32 for ViT-B-32, but finds tags only for the latter.
    model = model.replace("/", "-")
    config = Path(pretrained).parent / f"{model}.json"
    return Source(model, pretrained, config if config.is_file() else None)


@dataclass(frozen=True)
class EmbeddingModel:
    """A loaded image tower.

    Attributes:
        name: as in the configuration or the index.
        encode: maps float32 (n, 3, height, width) to (n, dim), not of unit length: open_clip's
            `encode_image`, since some image towers return more than the embedding.
        size: (height, width) of its input, pixels.
        mean, std: of its input, by channel, on a scale of 0 to 1.
        fit: how a picture of another aspect ratio is resized to the input.
        fill: grey level, 0 to 255, of the padding if `fit` is `longest`.
        weights_sha256: over names, types, shapes and bytes of the image tower's tensors.
    """

    name: str
    encode: Callable[[torch.Tensor], torch.Tensor]
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: Fit
    fill: int
    weights_sha256: str

    def prepared(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A picture as the model's input, without cropping.

        Args:
            frame: uint8 (height, width, 3) sRGB.

        Returns:
            float32 (3, height, width) at the model's size.
        """
        import cv2

        height, width = self.size
        if self.fit == "squash":
            fitted = (width, height)
        else:
            scale = min(width / frame.shape[1], height / frame.shape[0])
            fitted = (
                max(1, min(width, round(frame.shape[1] * scale))),
                max(1, min(height, round(frame.shape[0] * scale))),
            )
        smaller = fitted[0] < frame.shape[1] or fitted[1] < frame.shape[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        pixels = cv2.resize(frame, fitted, interpolation=how).astype(np.float32) / 255
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        normal = (pixels - mean) / std
        canvas = np.zeros((height, width, 3), np.float32)
        if self.fit == "longest":
            canvas[:] = (np.float32(self.fill / 255) - mean) / std
        top, left = (height - fitted[1]) // 2, (width - fitted[0]) // 2
        canvas[top : top + fitted[1], left : left + fitted[0]] = normal
        return np.ascontiguousarray(canvas.transpose(2, 0, 1))

    def embed(self, frames: Sequence[NDArray[np.uint8]], batch: int) -> NDArray[np.float32]:
        """Unit embeddings, float32 (n, dim).

        Every batch has exactly `batch` pictures, the last one padded: matrix products of other
        shapes may round differently, and an embedding must not depend on the rest of the batch.

        Raises:
            ModelError: if the model gives values that are not finite, or an embedding of zeros.
        """
        import torch

        parts = []
        for start in range(0, len(frames), batch):
            some = frames[start : start + batch]
            inputs = np.zeros((batch, 3, *self.size), np.float32)
            for index, frame in enumerate(some):
                inputs[index] = self.prepared(frame)
            with torch.inference_mode():
                raw = self.encode(torch.from_numpy(inputs))
            parts.append(raw[: len(some)].float().numpy())
        vectors = np.concatenate(parts)
        if not np.isfinite(vectors).all():
            raise ModelError(f"The model {self.name} gives values that are not finite.")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (lengths > 0).all():
            raise ModelError(f"The model {self.name} gives an embedding of zeros only.")
        unit: NDArray[np.float32] = vectors / lengths
        return unit


def load_model(name: str) -> EmbeddingModel:
    """The model of this name, loaded once in a process.

    Raises:
        ModelError: if there is no such model, or its weights can't be found, fetched or loaded.
    """
    source = parse(name)
    local = source.local
    if local is not None and not local.exists():
        raise ModelError(
            f"The weights of the model {name} are not at {local}; put them back, or make the "
            "index with another --model."
        )
    return _load(name, _stamp(local) + _stamp(source.config))


def weights_stamp(name: str) -> str | None:
    """Changes when the local weights of a model, or their configuration, change (by name, size and
    modification time). None if they are not local, or missing.
    """
    try:
        source = parse(name)
        if source.local is None:
            return None
        return json.dumps([_stamp(source.local), _stamp(source.config)])
    except (ModelError, OSError):
        return None


def _stamp(path: Path | None) -> tuple[tuple[str, int, int], ...]:
    """Part of the key of the cache of loaded models, so that changed files are loaded again."""
    if path is None:
        return ()
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


@lru_cache(maxsize=2)
def _load(name: str, _stamp: tuple[tuple[str, int, int], ...]) -> EmbeddingModel:
    source = parse(name)
    with _quiet():
        import open_clip
        import torch
        from torch.fx.experimental.optimization import fuse

        if source.config is not None:
            _check_config(name, source.config)
        options: dict[str, Any] = {}
        if source.pretrained and source.local is None:
            known = open_clip.get_pretrained_cfg(source.model, source.pretrained)
            # Weights trained with QuickGELU are other weights without it; open_clip only warns.
            options["force_quick_gelu"] = bool(known and known.get("quick_gelu", False))
        try:
            if source.config is not None:
                open_clip.add_model_config(source.config)
            model = open_clip.create_model(
                source.model,
                pretrained=source.pretrained,
                require_pretrained=True,
                precision="fp32",
                device="cpu",
                **options,
            )
        except Exception as error:  # open_clip and the hub raise many types
            raise ModelError(_refusal(name, source, error)) from error
    model.eval()
    config = open_clip.get_model_preprocess_cfg(model)
    digest = _digest(model.visual)
    if name == MINI:
        # Folds each batch normalisation into the convolution before it.
        model.visual = fuse(model.visual)
    # Another memory layout of the same weights: convolutions take half the time.
    model.visual.to(memory_format=torch.channels_last)
    size = config["size"]
    return EmbeddingModel(
        name=name,
        encode=lambda inputs: model.encode_image(inputs, normalize=False),
        size=(size, size) if isinstance(size, int) else (int(size[0]), int(size[1])),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        fit="squash" if name == MINI else _FITS[config["resize_mode"]],
        fill=int(config["fill_color"]),
        weights_sha256=digest,
    )


_FITS: dict[str, Fit] = {"squash": "squash", "shortest": "pad", "longest": "longest"}


def _check_config(name: str, file: Path) -> None:
    """Refuses a configuration that open_clip would ignore silently, or that would break it for the
    rest of the process.
    """
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The configuration {file} of the model {name} can't be read "
            f"({type(error).__name__}); fix it."
        ) from error
    wanted = ("embed_dim", "vision_cfg", "text_cfg")
    missing = [key for key in wanted if not isinstance(config, dict) or key not in config]
    if missing:
        raise ModelError(
            f"The configuration {file} of the model {name} is not one of open_clip's: it has no "
            f"{', '.join(missing)}."
        )


def _refusal(name: str, source: Source, error: Exception) -> str:
    import open_clip

    message = " ".join(str(error).split())
    if "not found in built-ins" in message:
        import difflib

        near = difflib.get_close_matches(source.model, open_clip.list_models(), 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        return f"open_clip has no model {source.model}{hint or '.'}"
    if "not a known tag or valid file path" in message:
        tags = open_clip.list_pretrained_tags_by_model(source.model)
        return (
            f"{source.pretrained} is neither a pretrained tag of {source.model} nor a file; "
            f"its tags are {', '.join(tags) or 'none'}."
        )
    if source.local is not None:
        return f"The weights of the model {name} can't be used: {message[:300]}"
    chain = list(_chain(error))
    if "Required pretrained weights" in message or any(isinstance(one, OSError) for one in chain):
        return (
            f"The weights of the model {name} are not on this machine and could not be fetched "
            f"({type(chain[-1]).__name__}); check the name and connect once to fetch them, or give "
            "a local checkpoint as NAME:/path/to/checkpoint."
        )
    return f"The model {name} can't be used: {message[:300]}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error with its cause chain."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses log lines and warnings of open_clip and timm."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _digest(tower: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(tower.state_dict().items()):
        values = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{key} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
