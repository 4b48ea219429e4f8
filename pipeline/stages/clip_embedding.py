"""CLIP embedding similarity, of the vectors of any open_clip image tower."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline.core.environment import code_digest
from pipeline.core.errors import ModelError, Reason
from pipeline.core.records import Abstention, Evidence, Fingerprint, Kind, Measure
from pipeline.load.detail import golden_picture
from pipeline.load.loaded import WORKING_EDGE, Loaded, LoadedImage
from pipeline.stages.base import (
    Stage,
    StageSettings,
    check_rows,
    golden_vectors_agree,
    library_versions,
)
from pipeline.stages.image.embedding_model import (
    BATCH,
    MINI,
    EmbeddingModel,
    canonical,
    load_model,
    weights_stamp,
)
from pipeline.stages.image.similarity_scale import measured_scale
from reference_index.errors import SpecMismatchError
from reference_index.interface import FingerprintSpec, StageEntries

_LIBRARIES = ("open-clip-torch", "torch", "torchvision", "timm", "opencv-python-headless")
BACKGROUND_WORKS = 8
"""Nearest other works whose mean similarity is subtracted for the margin."""
LARGEST_SHARE = 0.4
"""Share of the embeddings' variance in one direction above which weights count as untrained.

Contrastive training spreads embeddings out (Wang and Isola, "Understanding Contrastive
Representation Learning through Alignment and Uniformity", 2020), while a random tower encodes
little more than a picture's overall light and colour. Measured: clearance-mini 0.04, and 0.43 to
0.70 with the matrices of its first weights shuffled; small random ViTs, ResNets and ConvNeXts 0.40
to 0.92, MobileNets 0.21 to 0.39, so that these can pass. No large CLIP model has been measured; the
bound leaves room, because a trained model that is refused costs more than a random one that gets
this far.
"""


class ClipEmbeddingSettings(StageSettings):
    """How the nearest works are searched.

    Attributes:
        top_k: works compared for each frame of the asset, nearest first.
        min_likeness: least similarity of a match, on the model's own scale.
    """

    top_k: int = Field(default=10, ge=1, le=1000)
    min_likeness: float = Field(default=0.3, ge=0.0, le=1.0)


class ClipEmbedding(Stage):
    """Semantic similarity of pictures: cosine similarity of embeddings."""

    name: ClassVar[str] = "clip_embedding"
    title: ClassVar[str] = "CLIP embedding"
    kind: ClassVar[Kind] = Kind.IMAGE
    shows_copying: ClassVar[bool] = False
    batch_size: ClassVar[int] = BATCH
    Settings: ClassVar[type[StageSettings]] = ClipEmbeddingSettings
    schema: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("frame", pa.int32(), nullable=False),
            # Unit vector as little-endian float16; its length depends on the model.
            pa.field("embedding", pa.binary(), nullable=False),
        ]
    )
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure(
            "clip_similarity", "float", "match", "-1 to 1",
            "Cosine similarity of the two embeddings.",
        ),
        Measure(
            "clip_likeness", "float", "match", "0 to 1",
            "The similarity on the model's own scale: 0 is what hardly any unrelated pictures "
            "reach, 1 is the same picture.",
        ),
        Measure(
            "clip_margin", "float", "match", "-2 to 2",
            "The similarity minus the mean similarity with the 8 nearest other works.",
        ),
        Measure(
            "clip_frame", "int", "match", "frame, from 0", "Frame of the asset that is nearest."
        ),
    )  # fmt: skip

    def __init__(self, model: EmbeddingModel, unrelated_cosine: float, copy_cosine: float) -> None:
        self._opened: EmbeddingModel | None = model
        self._opening = Lock()
        self._unrelated = unrelated_cosine
        self._spec = FingerprintSpec(
            stage=self.name,
            algorithm="open_clip-image/1",
            parameters={
                "model": model.name,
                "working_edge": WORKING_EDGE,
                "input": list(model.size),
                "fit": model.fit,
                "unrelated_cosine": unrelated_cosine,
                "copy_cosine": copy_cosine,
            },
            weights_sha256=model.weights_sha256,
            libraries=library_versions(*_LIBRARIES),
            canary=base64.b64encode(_stored(model.embed([golden_picture()], BATCH))[0]).decode(),
        )

    golden_fingerprints_agree = staticmethod(golden_vectors_agree)

    @classmethod
    def create(cls, **options: Any) -> Self:
        """A stage for a new index, with the model of the option `model`.

        The model's scale is measured first (`image.similarity_scale`), since cosine similarities
        differ from model to model.

        Raises:
            ModelError: if the weights can't be found or fetched, or seem untrained: they don't tell
                edited copies from unrelated pictures, or put nearly all variance into one
                direction. `load_model` makes sure that weights were loaded; this is a second check,
                which random weights of some architectures may pass.
        """
        model = load_model(canonical(options.get("model", MINI)))
        scale = measured_scale(model)
        if scale.copy <= scale.unrelated:
            raise ModelError(
                f"The model {model.name} does not tell edited copies of pictures (cosine "
                f"similarity {scale.copy:.3f}) from unrelated pictures (up to "
                f"{scale.unrelated:.3f}); its weights may be random. Choose another --model."
            )
        if scale.largest_share > LARGEST_SHARE:
            raise ModelError(
                f"The model {model.name} hardly tells pictures apart ({scale.largest_share:.0%} of "
                f"what its embeddings vary in is one direction, more than {LARGEST_SHARE:.0%}); "
                "its weights may be random. Choose another --model."
            )
        return cls(model, scale.unrelated, scale.copy)

    @classmethod
    def from_spec(cls, spec: FingerprintSpec) -> Self:
        """As in `Stage.from_spec`."""
        model = load_model(str(spec.parameters.get("model")))
        if model.weights_sha256 != spec.weights_sha256:
            raise SpecMismatchError(
                f"The index can't be used for {cls.name}: it was made with other weights of "
                f"{model.name} (SHA-256 {str(spec.weights_sha256)[:16]}…, here "
                f"{model.weights_sha256[:16]}…). Put the former weights back, or make a new index "
                "with `clearance index create` and add the works again."
            )
        stage = cls(model, *_cosines(spec))
        stage.refuse_mismatch(spec)
        return stage

    @classmethod
    def opening_key(cls, spec: FingerprintSpec) -> str | None:
        """Hash of the spec, the installed code and libraries, and the local weights' file stats."""
        stamp = weights_stamp(str(spec.parameters.get("model")))
        if stamp is None:
            return None
        parts = [spec.digest(), code_digest(), library_versions(*_LIBRARIES), stamp]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_spec_lazily(cls, spec: FingerprintSpec) -> Self:
        """The stage without its model, which takes seconds to load: it is loaded, and compared with
        the spec, at the first picture that is fingerprinted.
        """
        stage = cls.__new__(cls)
        stage._opened, stage._opening = None, Lock()
        stage._unrelated, _ = _cosines(spec)
        stage._spec = spec
        return stage

    @property
    def _model(self) -> EmbeddingModel:
        with self._opening:
            if self._opened is None:
                self._opened = type(self).from_spec(self._spec)._model
            return self._opened

    @property
    def spec(self) -> FingerprintSpec:
        """Identity of the values this stage makes."""
        return self._spec

    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """A row for each frame with enough detail; an abstention if none has."""
        frames: list[NDArray[np.uint8]] = []
        detailed_frames: list[list[int]] = []
        for image in loaded:
            if not isinstance(image, LoadedImage):
                raise TypeError(f"{self.name} judges pictures, not {type(image).__name__}")
            indexes = [n for n, detailed in enumerate(image.detailed) if detailed]
            frames.extend(image.frames[n] for n in indexes)
            detailed_frames.append([image.number(n) for n in indexes])
        if not frames:
            return [self._abstained() for _ in loaded]
        rows = _stored(self._model.embed(frames, BATCH))
        results: list[Fingerprint | Abstention] = []
        start = 0
        for numbers in detailed_frames:
            if not numbers:
                results.append(self._abstained())
                continue
            arrays = [
                pa.array(numbers, pa.int32()),
                pa.array(rows[start : start + len(numbers)], pa.binary()),
            ]
            start += len(numbers)
            batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            results.append(Fingerprint(self.name, batch))
        return results

    @staticmethod
    def _abstained() -> Abstention:
        return Abstention(Reason.TOO_LITTLE_DETAIL, "too little detail to embed")

    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """As in `Stage.search`: FAISS, exact, the `top_k` nearest works of each frame."""
        if not isinstance(settings, ClipEmbeddingSettings):
            raise TypeError("clip_embedding needs ClipEmbeddingSettings")
        dim = self._dim()
        queries = [_vectors(one.rows, dim) for one in fingerprints]
        if not queries or not len(entries):
            return [[] for _ in queries]
        asset_of = np.repeat(np.arange(len(queries)), [len(q) for q in queries])
        frame_of = np.concatenate([one.rows.column("frame").to_numpy() for one in fingerprints])
        wanted = max(settings.top_k, BACKGROUND_WORKS + 1)
        near = self._nearest_works(np.concatenate(queries), entries, wanted)
        best: list[dict[str, tuple[tuple[float, str, int], Evidence]]] = [{} for _ in queries]
        for query, works in enumerate(near):
            for rank, (row, cosine) in enumerate(works[: settings.top_k]):
                # Rounded as in the table, so that the table explains what is a match.
                scaled = round(self.scaled_similarity(cosine), 6)
                if scaled < settings.min_likeness:
                    break
                file = entries.files[int(entries.file_of_row[row])]
                others = [other for n, (_, other) in enumerate(works) if n != rank]
                evidence = Evidence(
                    work_id=file.work_id,
                    work_file=file.path,
                    work_file_id=file.file_id,
                    measures={
                        "clip_similarity": cosine,
                        "clip_likeness": scaled,
                        "clip_margin": round(self.margin(cosine, others), 6),
                        "clip_frame": int(frame_of[query]),
                    },
                )
                key = (-cosine, file.path, row)
                best_of_asset = best[int(asset_of[query])]
                work = file.work_id
                if work not in best_of_asset or key < best_of_asset[work][0]:
                    best_of_asset[work] = (key, evidence)
        return [
            [e for _, (_, e) in sorted(one.items(), key=lambda item: (item[1][0][0], item[0]))]
            for one in best
        ]

    def candidates(
        self,
        fingerprints: Sequence[Fingerprint],
        entries: StageEntries,
        settings: StageSettings,
        limit: int,
    ) -> list[list[int]]:
        """The nearest works of each fingerprint, however low their similarity.

        More than the evidence of `search`: a stage that verifies compares the pictures.

        Args:
            fingerprints: of the assets.
            entries: as for `search`.
            settings: as for `search`; their limits do not apply.
            limit: works for each fingerprint, at most.

        Returns:
            For each fingerprint the positions in `entries.files` of the nearest file of each
            work, nearest work first over all frames, ties by work id.

        Raises:
            ValueError: as in `search`, and if `limit` is negative.
        """
        if not isinstance(settings, ClipEmbeddingSettings):
            raise TypeError("clip_embedding needs ClipEmbeddingSettings")
        if limit < 0:
            raise ValueError(f"the limit must not be negative, and is {limit}")
        dim = self._dim()
        queries = [_vectors(one.rows, dim) for one in fingerprints]
        if not queries or not len(entries) or not limit:
            return [[] for _ in queries]
        near = iter(self._nearest_works(np.concatenate(queries), entries, limit))
        candidates = []
        for vectors in queries:
            best: dict[str, tuple[float, str, int]] = {}
            for _ in vectors:
                for row, cosine in next(near):
                    position = int(entries.file_of_row[row])
                    file = entries.files[position]
                    key = (-cosine, file.path, position)
                    best[file.work_id] = min(key, best.get(file.work_id, key))
            order = sorted(best, key=lambda work: (best[work][0], work))
            candidates.append([best[work][2] for work in order[:limit]])
        return candidates

    def _nearest_works(
        self, queries: NDArray[np.float32], entries: StageEntries, count: int
    ) -> list[list[tuple[int, float]]]:
        """(stored row, cosine) of the `count` nearest works of each query, nearest first.

        Each work counts once, by its nearest row (of rows as near, that of the first path). A
        work of many frames must not crowd out the others, so more rows are searched wherever the
        returned ones are of fewer works. Cosines are rounded to six places.
        """
        from reference_index.cosine import CosineIndex

        stored = entries.cached(
            "clip_embedding", lambda: CosineIndex(_vectors(entries.rows, self._dim()))
        )
        every = entries.cached(
            "clip_embedding_works",
            lambda: len({entries.files[int(n)].work_id for n in np.unique(entries.file_of_row)}),
        )
        nearest: list[list[tuple[int, float]]] = [[] for _ in queries]
        pending = np.arange(len(queries))
        rows = count
        while len(pending):
            hits = stored.nearest(queries[pending], rows)
            ends = np.searchsorted(hits.query, np.arange(len(pending)), "right").tolist()
            again = []
            start = 0
            for query, end in zip(pending.tolist(), ends, strict=True):
                works: dict[str, tuple[float, str, int]] = {}
                least = cosine = 1.0
                for row, score in zip(
                    hits.entry[start:end].tolist(), hits.score[start:end].tolist(), strict=True
                ):
                    cosine = round(score, 6)
                    file = entries.files[int(entries.file_of_row[row])]
                    if len(works) == count and cosine < least:
                        break
                    key = (-cosine, file.path, row)
                    if file.work_id in works:
                        works[file.work_id] = min(key, works[file.work_id])
                    elif len(works) < count:
                        works[file.work_id] = key
                        least = cosine
                # Rows as near as the last work's may be beyond those returned.
                complete = len(works) == min(count, every) and cosine < least
                if complete or end - start == len(entries):
                    nearest[query] = [(row, -minus) for minus, _, row in works.values()]
                else:
                    again.append(query)
                start = end
            pending = np.array(again, np.int64)
            rows *= 8
        return nearest

    def margin(self, cosine: float, others: Sequence[float]) -> float:
        """How far a cosine similarity exceeds those with other works.

        The score normalisation of SSCD (Pizzi et al., "A self-supervised descriptor for image
        copy detection", CVPR 2022), with the index itself as the background: similarity to many
        works at once is not evidence of copying any of them.

        Args:
            cosine: similarity with the work.
            others: similarities with the other works, one for each, nearest first.

        Returns:
            The similarity minus the mean of the `BACKGROUND_WORKS` nearest others; missing ones
            count as the similarity that unrelated pictures seldom exceed.
        """
        background = list(others[:BACKGROUND_WORKS])
        background += [self._unrelated] * (BACKGROUND_WORKS - len(background))
        return cosine - sum(background) / BACKGROUND_WORKS

    def scaled_similarity(self, cosine: float) -> float:
        """A cosine similarity on the model's own scale, in [0, 1]."""
        return min(1.0, max(0.0, (cosine - self._unrelated) / (1.0 - self._unrelated)))

    def sentence(self, evidence: Evidence) -> str:
        """As in `Stage.sentence`."""
        cosine = evidence.measures.get("clip_similarity")
        if not isinstance(cosine, float):
            raise TypeError("clip_embedding evidence has a similarity")
        model = self._spec.parameters["model"]
        return (
            f"The picture as a whole is like it: the embeddings ({model}) have a cosine similarity "
            f"of {cosine:.2f}, where unrelated pictures seldom exceed {self._unrelated:.2f}."
        )

    def _dim(self) -> int:
        return len(base64.b64decode(self._spec.canary)) // 2


def _cosines(spec: FingerprintSpec) -> tuple[float, float]:
    """A spec's unrelated_cosine and copy_cosine.

    Raises:
        SpecMismatchError: if they are not cosines, or not in that order.
    """
    scale = [spec.parameters.get(key) for key in ("unrelated_cosine", "copy_cosine")]
    if not all(isinstance(value, float) for value in scale) or not (
        -1 <= scale[0] < 1 and scale[0] < scale[1] <= 1  # type: ignore[operator]
    ):
        raise SpecMismatchError(
            f"The index can't be used for {spec.stage}: its unrelated_cosine and copy_cosine "
            "are not cosines. Make a new index with `clearance index create`."
        )
    return float(scale[0]), float(scale[1])  # type: ignore[arg-type]


def _stored(vectors: NDArray[np.float32]) -> list[bytes]:
    return [row.tobytes() for row in vectors.astype("<f2")]


def _vectors(rows: pa.RecordBatch | pa.Table, dim: int) -> NDArray[np.float32]:
    """Stored embeddings as unit float32 (n, dim).

    Raises:
        ValueError: if they are not of this stage's form or of another dimension.
    """
    check_rows(rows, ClipEmbedding.schema, ClipEmbedding.name)
    values = rows.column("embedding").to_pylist()
    if any(len(value) != 2 * dim for value in values):
        raise ValueError(f"a clip_embedding row is not an embedding of {dim} dimensions")
    vectors = np.frombuffer(b"".join(values), "<f2").reshape(-1, dim).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Stored vectors have unit length up to float16; NaN fails the comparison too.
    if not (np.abs(lengths - 1.0) < 0.01).all():
        raise ValueError("a clip_embedding row is not a unit vector")
    unit: NDArray[np.float32] = vectors / lengths
    return unit
