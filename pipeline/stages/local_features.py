"""Local features: finds a picture, or part of it, inside another by SIFT features.

Candidates come from the other stages and from a search over the features or, where there are too
many of them, over one VLAD vector for each picture. Each candidate is then compared with the asset:
one transform must map features of the work onto features of the asset (geometric verification), and
under it the pixels of the two pictures must agree.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.core.errors import Reason
from pipeline.core.records import Abstention, Evidence, Fingerprint, Kind, Measure
from pipeline.load.detail import LARGEST_EDGE, golden_picture, to_grey
from pipeline.load.loaded import WORKING_EDGE, Loaded, LoadedImage
from pipeline.stages.base import (
    Stage,
    StageSettings,
    golden_vectors_agree,
    library_versions,
    stage_threads,
)
from pipeline.stages.image.feature_schema import FEWEST, SCHEMA
from reference_index.interface import FingerprintSpec, StageEntries

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

    from pipeline.stages.image.feature_rows import Picture
    from pipeline.stages.image.matching import StoredFeatures, VerifiedOverlap

MOST_REPETITION = 0.9
"""Where the pictures agree nearly as well at another shift, a few inliers only say that both show
the same pattern, such as a checkerboard."""
AGGREGATED = "aggregated features"
"""The search over VLAD vectors in the column `overlap_found_by`."""
FAINT = 2.0
"""Weighted inlier score below which an overlap's sentence does not state it as a fact: the
calibration gives such scores no weight."""


class LocalFeaturesSettings(StageSettings):
    """How candidates are found and what makes a match.

    Attributes:
        candidates: pairs of a view and a stored picture that the search generates
            for each frame of an asset.
        search_up_to: stored pictures up to which all features are searched; beyond it, one VLAD
            vector for each picture is.
        min_agreement: least pixel agreement of the two pictures within the overlap.
        min_strength: least weighted inlier score.
        min_whole_agreement: least pixel agreement of two pictures as wholes, without features.
    """

    candidates: int = Field(default=8, ge=1, le=100)
    search_up_to: int = Field(default=20_000, ge=0)
    min_agreement: float = Field(default=0.2, ge=0.0, le=1.0)
    min_strength: float = Field(default=0.6, ge=0.0)
    min_whole_agreement: float = Field(default=0.6, ge=0.0, le=1.0)

    def accept(self, verified: VerifiedOverlap) -> bool:
        """Whether an overlap is evidence."""
        if verified.repetition > MOST_REPETITION:
            return False
        agreement = verified.overlap.agreement
        if not verified.inliers:
            return agreement >= self.min_whole_agreement
        return agreement >= self.min_agreement and verified.weighted_inliers >= self.min_strength


class LocalFeatures(Stage):
    """Finds parts of a picture in another, with the transform between them."""

    name: ClassVar[str] = "local_features"
    title: ClassVar[str] = "local features"
    kind: ClassVar[Kind] = Kind.IMAGE
    shows_copying: ClassVar[bool] = True
    verifies: ClassVar[bool] = True
    batch_size: ClassVar[int] = 32
    Settings: ClassVar[type[StageSettings]] = LocalFeaturesSettings
    schema: ClassVar[pa.Schema] = SCHEMA
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure(
            "overlap_inliers", "int", "match", "features",
            "Local features that agree with one transform from the work to the asset.",
        ),
        Measure(
            "overlap_strength", "float", "match", "",
            "Total weight of those features: each counts up to 1, by how much nearer its match is "
            "than an unrelated feature would be.",
        ),
        Measure(
            "overlap_agreement", "float", "match", "0 to 1",
            "Correlation of the two pictures where they overlap under the transform.",
        ),
        Measure(
            "overlap_contradiction", "float", "match", "0 to 1",
            "Share of the detail in the overlap that differs: high for two pictures that have only "
            "a frame or a mark in common.",
        ),
        Measure(
            "overlap_asset_share", "float", "match", "0 to 1",
            "Share of the asset's area that shows the work.",
        ),
        Measure(
            "overlap_work_share", "float", "match", "0 to 1",
            "Share of the work's area that the asset shows.",
        ),
        Measure(
            "overlap_larger_share", "float", "match", "0 to 1",
            "The larger of the two shares: high for a copy, as most of one picture is nearly "
            "always in the other; low for a mark that two pictures have in common.",
        ),
        Measure(
            "overlap_transform", "str", "match", "nine numbers",
            "Homography, row by row, from the work to the asset, both in shares of width and "
            "height.",
        ),
        Measure(
            "overlap_negative", "bool", "match", "",
            "Whether the asset shows the work's negative.",
        ),
        Measure(
            "overlap_frame", "int", "match", "frame, from 0", "Frame of the asset that agrees best."
        ),
        Measure(
            "overlap_found_by", "str", "match", "",
            "Which searches proposed the work for this comparison.",
        ),
        Measure(
            "feature_count", "int", "asset", "features",
            f"Local features of the picture; below {FEWEST} the stage abstains.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        from pipeline.stages.image import sift
        from pipeline.stages.image.codebook import codebook
        from pipeline.stages.image.vlad import vlad_codebook

        self._codebook, self._vlad_codebook = codebook(), vlad_codebook()
        self._spec = FingerprintSpec(
            stage=self.name,
            algorithm="sift-rootsift/3",
            parameters={
                "working_edge": WORKING_EDGE,
                "largest_edge": LARGEST_EDGE,
                "most_found": sift.MOST_DETECTED,
                "most_features": sift.MOST_FEATURES,
                "layers": sift.LAYERS,
                "parts_a_side": sift.GRID_SIDE,
                "contrast": sift.CONTRAST,
                "edge": sift.EDGE,
                "fewest": FEWEST,
                "codebook": self._codebook.sha256,
                "aggregates": self._vlad_codebook.sha256,
            },
            libraries=library_versions("opencv-python-headless", "faiss-cpu"),
            canary=self._golden_fingerprint(),
        )

    golden_fingerprints_agree = staticmethod(golden_vectors_agree)

    @property
    def spec(self) -> FingerprintSpec:
        """Identity of the values this stage makes."""
        return self._spec

    def _golden_fingerprint(self) -> str:
        """The mean descriptor of a fixed picture, as float16: its bits may differ between
        processors."""
        from pipeline.stages.image.sift import extract

        _, descriptors = extract(to_grey(golden_picture()))
        return base64.b64encode(descriptors.mean(axis=0).astype("<f2").tobytes()).decode()

    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """A row for each frame with enough features; an abstention if none has."""
        images = []
        for image in loaded:
            if not isinstance(image, LoadedImage):
                raise TypeError(f"{self.name} judges pictures, not {type(image).__name__}")
            images.append(image)
        # OpenCV releases the interpreter lock.
        with _image_threads() as pool:
            return list(pool.map(self._fingerprint_one, images))

    def _fingerprint_one(self, image: LoadedImage) -> Fingerprint | Abstention:
        from pipeline.stages.image.feature_rows import read_frame

        rows: list[tuple[Any, ...]] = []
        most = 0
        for index, grey in enumerate(image.grey):
            if image.detailed[index]:
                number = image.number(index)
                count, row = read_frame(grey, number, self._codebook, self._vlad_codebook)
                most = max(most, count)
                rows += [row] if row is not None else []
        facts = {"feature_count": most}
        if not rows:
            reason = f"too few local features to compare ({most}; at least {FEWEST} are needed)"
            if not any(image.detailed):
                reason = "too little detail to compare"
            return Abstention(Reason.TOO_LITTLE_DETAIL, reason, facts)
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(zip(*rows, strict=True), self.schema, strict=True)
        ]
        return Fingerprint(self.name, pa.RecordBatch.from_arrays(arrays, schema=self.schema), facts)

    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """As in `Stage.search`, with candidates from this stage's own search only."""
        return self.search_with_candidates(
            fingerprints, entries, settings, [{} for _ in fingerprints]
        )

    def search_with_candidates(
        self,
        fingerprints: Sequence[Fingerprint],
        entries: StageEntries,
        settings: StageSettings,
        candidates: Sequence[Mapping[int, tuple[str, ...]]],
    ) -> list[list[Evidence]]:
        """As in `Stage.search_with_candidates`: every candidate is verified."""
        if not isinstance(settings, LocalFeaturesSettings):
            raise TypeError("local_features needs LocalFeaturesSettings")
        from pipeline.stages.image.feature_rows import pictures
        from pipeline.stages.image.matching import StoredFeatures

        queries = [pictures(one.rows) for one in fingerprints]
        if not queries or not len(entries):
            return [[] for _ in queries]
        if len(entries) <= settings.search_up_to:
            stored = entries.cached(
                "local_features", lambda: StoredFeatures(entries, self._codebook)
            )
        else:
            stored = entries.cached(
                "local_features_aggregated",
                lambda: StoredFeatures(entries, self._codebook, self._vlad_codebook),
            )
        pairs = zip(queries, candidates, strict=True)
        with _image_threads() as pool:
            return list(
                pool.map(lambda pair: self._evidence(pair[0], stored, settings, pair[1]), pairs)
            )

    def _evidence(
        self,
        frames: Sequence[Picture],
        stored: StoredFeatures,
        settings: LocalFeaturesSettings,
        other_candidates: Mapping[int, tuple[str, ...]],
    ) -> list[Evidence]:
        """The best verified overlap with each work."""
        from pipeline.stages.image.matching import Comparison

        best: dict[str, VerifiedOverlap] = {}
        found_by: dict[str, set[str]] = {}
        features_searched = stored.vlad_codebook is None
        own_title = self.title if features_searched else AGGREGATED
        other_rows = stored.rows_of(other_candidates)
        for frame in frames:
            comparison = Comparison(frame, self._codebook)
            own_candidates = comparison.generate_candidates(stored, settings.candidates)
            for row, view in [*own_candidates, *((row, None) for row in other_rows)]:
                work_id = stored.file(row).work_id
                titles = other_rows[row] if view is None else (own_title,)
                found_by.setdefault(work_id, set()).update(titles)
                if view is not None and row in other_rows and not features_searched:
                    continue  # As a candidate of another stage it is compared in every view.
                for verified in comparison.verified_overlaps(
                    stored, row, view, features_searched=features_searched
                ):
                    if settings.accept(verified) and (
                        work_id not in best or verified.rank < best[work_id].rank
                    ):
                        best[work_id] = verified
        ranked = sorted(best.items(), key=lambda item: (item[1].rank[0], item[0]))
        return [_as_evidence(verified, stored, found_by[work]) for work, verified in ranked]

    def sentence(self, evidence: Evidence) -> str:
        """As in `Stage.sentence`."""
        of_asset, of_work, inliers = (
            evidence.measures.get(name)
            for name in ("overlap_asset_share", "overlap_work_share", "overlap_inliers")
        )
        if not isinstance(of_asset, float) or not isinstance(of_work, float):
            raise TypeError("local_features evidence has an overlap")
        how = " as a negative" if evidence.measures.get("overlap_negative") else ""
        by = (
            f"{inliers} local features agree on its position"
            if inliers
            else "the two pictures agree as wholes"
        )
        strength = evidence.measures.get("overlap_strength")
        if isinstance(strength, float) and strength < FAINT:
            return (
                f"A faint sign that about {of_work:.0%} of its picture may be seen{how} in about "
                f"{of_asset:.0%} of the asset: {by}, which may be chance."
            )
        return (
            f"About {of_work:.0%} of its picture is seen{how} in about {of_asset:.0%} of the "
            f"asset: {by}."
        )


@contextmanager
def _image_threads() -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that work on an image each. OpenCV, BLAS and FAISS run single-threaded in
    them: an image is too little work to split further, and idle threads of FAISS would spin.
    """
    import cv2

    cv2.setNumThreads(1)
    with (
        _thread_pools().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(stage_threads(), initializer=_single_threaded_faiss) as pool,
    ):
        yield pool


@lru_cache(maxsize=1)
def _thread_pools() -> ThreadpoolController:
    """The native thread pools of this process; cached, since finding them is slow."""
    import faiss  # noqa: F401 - its pool is among them
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _single_threaded_faiss() -> None:
    """For the calling thread only."""
    import faiss

    faiss.omp_set_num_threads(1)


def _as_evidence(verified: VerifiedOverlap, stored: StoredFeatures, titles: set[str]) -> Evidence:
    file = stored.file(verified.row)
    overlap = verified.overlap
    transform = verified.transform / verified.transform[2, 2]
    return Evidence(
        work_id=file.work_id,
        work_file=file.path,
        work_file_id=file.file_id,
        measures={
            "overlap_inliers": verified.inliers,
            "overlap_strength": round(verified.weighted_inliers, 3),
            "overlap_agreement": round(overlap.agreement, 4),
            "overlap_contradiction": round(overlap.contradiction, 4),
            "overlap_asset_share": round(overlap.asset_share, 4),
            "overlap_work_share": round(overlap.work_share, 4),
            "overlap_larger_share": round(max(overlap.asset_share, overlap.work_share), 4),
            "overlap_transform": " ".join(f"{value:.5g}" for value in transform.ravel()),
            "overlap_negative": verified.negative,
            "overlap_frame": verified.frame,
            "overlap_found_by": ", ".join(sorted(titles)),
        },
    )
