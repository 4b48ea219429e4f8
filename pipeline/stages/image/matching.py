"""Compares a frame of an asset with stored pictures by their local features.

Two steps, of which the first is cheap and the second exact:

1. Candidate generation (`Comparison.generate_candidates`) picks a few stored rows, and the view of
   the asset (as it is, mirrored, negative) in which each may be a copy. Up to 20,000 stored
   pictures it searches all features and counts votes; beyond, it searches one VLAD vector for each
   picture.
2. Verification (`Comparison.verified_overlaps`) matches the descriptors of the pair, fits one
   transform (`geometric_verification`) and compares the pixels under it (`pixel_agreement`).

Worked example of a vote: the asset has 300 features, all of which are searched in the view as it is
(of the mirrored view the first 150, of the negative 75). A descriptor's eight nearest stored ones
have squared distances 0.10, 0.70, …, 0.80. The first is nearer than the last by the share
1 - 0.10 / 0.80 = 0.875, and gives its picture 0.875⁴ = 0.586 votes; the second gives
(1 - 0.70 / 0.80)⁴ = 0.0002. A picture with 20 such features has about 12 votes; one that shares
nothing has hardly any.

Worked example of VLAD: vectors float32 (12, 8192), the frame in three views and up to nine windows;
their inner products with all stored codes. The nearest has 0.31 and the eight nearest other works
have 0.12 on average: it stands out by 0.19, far above `least_margin`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.base import check_rows
from pipeline.stages.image.codebook import Codebook
from pipeline.stages.image.feature_rows import Picture, pictures
from pipeline.stages.image.feature_schema import FEWEST, SCHEMA
from pipeline.stages.image.geometric_verification import (
    Matches,
    VerifiedTransform,
    homography,
    match_descriptors,
    verify,
)
from pipeline.stages.image.pixel_agreement import (
    Overlap,
    overlap,
    refined_transform,
    repetition,
    whole_transform,
)
from pipeline.stages.image.sift import View
from pipeline.stages.image.vlad import CODE_BYTES, VladCodebook
from reference_index.interface import StageEntries, WorkFile
from reference_index.ivf_pq import IVFPQIndex
from reference_index.pq import PQIndex


@dataclass(frozen=True)
class CandidateSettings:
    """Constants of candidate generation.

    Attributes:
        probes: nearest coarse centroids whose inverted lists are searched for a descriptor.
        neighbours: nearest stored descriptors of each.
        vote_power: a vote is the share by which a neighbour is nearer than the last one, to this
            power: one match that stands out says more than many that do not.
        least_votes: votes below which a stored picture is no candidate: hardly any copy has less,
            and most candidates for an unrelated picture do.
        as_it_is_share, mirrored_share, negative_share: share of a picture's features, the
            strongest, that are searched in each view: rarer views get less of the time.
            Verification uses all.
        window: edge of the asset's windows, as a share of its sides: a work that is set into a
            larger picture fills a window and not the whole.
        window_starts: where windows start along each side.
        background_works: nearest other works whose mean similarity is subtracted from each.
        least_margin: by how much a similarity must then stand out for a candidate: of the nearest
            eight, every copy did, and nearly half of the other works did not.
    """

    probes: int = 2
    neighbours: int = 8
    vote_power: int = 4
    least_votes: float = 0.06
    as_it_is_share: float = 1.0
    mirrored_share: float = 0.5
    negative_share: float = 0.25
    window: float = 0.5
    window_starts: tuple[float, ...] = (0.0, 0.25, 0.5)
    background_works: int = 8
    least_margin: float = 0.008

    def share(self, view: View) -> float:
        """Share of a picture's features that are searched in a view."""
        return {
            View.AS_IT_IS: self.as_it_is_share,
            View.MIRRORED: self.mirrored_share,
            View.NEGATIVE: self.negative_share,
        }[view]


@dataclass(frozen=True)
class OverlapSettings:
    """Which checks an overlap still needs.

    Attributes:
        refine_from, refine_to: agreements between which its transform is worth refining.
        certain: agreement from which, if nothing contradicts it, patterns need not be looked for.
        pattern_score: weighted inlier score that is more than repeated patterns, such as
            checkerboards, gave.
        least_distinctiveness: mean distinctiveness of the inliers (`VerifiedTransform`) below which
            they are one repeated mark: copies had 0.92 and more, rows of dots 0.8 and less.
    """

    refine_from: float = 0.1
    refine_to: float = 0.8
    certain: float = 0.9
    pattern_score: float = 16.0
    least_distinctiveness: float = 0.85


CANDIDATES = CandidateSettings()
OVERLAPS = OverlapSettings()


@dataclass(frozen=True)
class VerifiedOverlap:
    """An overlap of a frame with a stored row.

    Attributes:
        frame: number of the frame in its file.
        row: the stored row.
        inliers, weighted_inliers: how many features agree on the transform, and the sum of their
            weights; 0 where the two were compared as wholes.
        overlap: how far the pixels agree under the transform.
        repetition: share of the agreement that another shift has too, see
            `pixel_agreement.repetition`; 1 where the inliers are one repeated mark, such as a row
            of dots; 0 where their score is too high for any repeated pattern.
        transform: float64 (3, 3), from shares of the work's width and height to the asset's.
        negative: whether the asset shows the work's negative.
    """

    frame: int
    row: int
    inliers: int
    weighted_inliers: float
    overlap: Overlap
    repetition: float
    transform: NDArray[np.float64]
    negative: bool

    @property
    def rank(self) -> tuple[float, int, int]:
        """Sort key: the best overlap has the least."""
        # Plus 1, so that pictures that agree without any features count a little.
        return (-(self.weighted_inliers + 1.0) * self.overlap.agreement, self.row, self.frame)


class StoredFeatures:
    """The stored rows, decoded as they are needed, and the search for candidates among them.

    Args:
        entries: the stage's stored rows.
        codebook: of the stored descriptors.
        vlad_codebook: of the stored VLAD vectors, if these are searched; None if every feature is.
    """

    def __init__(
        self, entries: StageEntries, codebook: Codebook, vlad_codebook: VladCodebook | None = None
    ) -> None:
        self.entries = entries
        self.vlad_codebook = vlad_codebook
        check_rows(entries.rows, SCHEMA, "local_features")
        if vlad_codebook is None:
            self.row_of_feature, self.features = _features(entries, codebook)
        else:
            self.vlad_codes = _vlad_codes(entries, vlad_codebook)
        order = np.argsort(entries.file_of_row, kind="stable")
        files, starts = np.unique(entries.file_of_row[order], return_index=True)
        self._rows = dict(zip(files.tolist(), np.split(order, starts[1:]), strict=True))

    def __len__(self) -> int:
        return len(self.entries)

    def file(self, row: int) -> WorkFile:
        """The file of a row."""
        return self.entries.files[int(self.entries.file_of_row[row])]

    def picture(self, row: int) -> Picture:
        """A row, decoded."""
        return pictures(self.entries.rows.slice(row, 1))[0]

    def rows_of(self, candidates: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        """Rows of the candidate files, with the titles of the stages that found these."""
        return {
            int(row): titles
            for position, titles in candidates.items()
            for row in self._rows.get(position, ())
        }


def _features(entries: StageEntries, codebook: Codebook) -> tuple[NDArray[np.int64], IVFPQIndex]:
    """The row of each stored feature, int64 (n,), and the search over all n."""
    cells, codes = (entries.rows.column(name).to_pylist() for name in ("cells", "codes"))
    counts = [len(one) // 2 for one in cells]
    return np.repeat(np.arange(len(counts)), counts), IVFPQIndex(
        codebook.centroids,
        codebook.codewords,
        np.frombuffer(b"".join(cells), "<u2").astype(np.int64),
        np.frombuffer(b"".join(codes), np.uint8).reshape(sum(counts), -1),
    )


def _vlad_codes(entries: StageEntries, codebook: VladCodebook) -> PQIndex:
    codes = b"".join(entries.rows.column("aggregate").to_pylist())
    stored = np.frombuffer(codes, np.uint8)
    if len(stored) != CODE_BYTES * len(entries):
        raise ValueError("a local_features row has an aggregate of another length")
    return PQIndex(codebook.codewords, stored.reshape(len(entries), CODE_BYTES))


@dataclass(frozen=True)
class _Descriptors:
    """Descriptors of an asset in a view, float32 (n, 128), their nearest coarse centroids, int64
    (n, probes), and the squared distances to them, float32 (n, probes). The first distance serves
    as that of an unrelated descriptor.
    """

    values: NDArray[np.float32]
    cells: NDArray[np.int64]
    distances: NDArray[np.float32]


class Comparison:
    """One frame of an asset, to be compared with stored pictures."""

    def __init__(self, picture: Picture, codebook: Codebook) -> None:
        self.picture = picture
        self._codebook = codebook
        self._cache: dict[tuple[View, int], _Descriptors] = {}

    def generate_candidates(self, stored: StoredFeatures, most: int) -> list[tuple[int, View]]:
        """Up to `most` stored rows and the views in which they are most similar, best first: by
        votes of the features or, where these are not searched, by VLAD.
        """
        if stored.vlad_codebook is None:
            return self._candidates_by_votes(stored, most)
        return self._candidates_by_vlad(stored, stored.vlad_codebook, most)

    def _candidates_by_vlad(
        self, stored: StoredFeatures, codebook: VladCodebook, most: int
    ) -> list[tuple[int, View]]:
        """By how much the similarity exceeds those of other works; in each view, and in each
        window of the picture as it is.
        """
        views, vectors = self.vlad_vectors(codebook)
        background = CANDIDATES.background_works
        products, rows = stored.vlad_codes.nearest(vectors, most + background)
        best: dict[tuple[int, View], float] = {}
        for view, similarities, hit_rows in zip(
            views, products.tolist(), rows.tolist(), strict=True
        ):
            nearest_of_work: dict[str, float] = {}
            hits = [
                (row, value) for row, value in zip(hit_rows, similarities, strict=True) if row >= 0
            ]
            for row, value in hits:
                nearest_of_work.setdefault(stored.file(row).work_id, value)
            for row, value in hits[:most]:
                own = stored.file(row).work_id
                others = [other for work, other in nearest_of_work.items() if work != own]
                others = others[:background]
                margin = value - (sum(others) / len(others) if others else 0.0)
                if margin >= CANDIDATES.least_margin:
                    best[row, view] = max(margin, best.get((row, view), margin))
        ranked = sorted(best, key=lambda one: (-best[one], one[0], one[1].name))
        return ranked[:most]

    def vlad_vectors(self, codebook: VladCodebook) -> tuple[list[View], NDArray[np.float32]]:
        """VLAD vectors of the picture and of its windows as it is, then of the picture in the other
        views.

        Returns:
            The view of each, and float32 (n, 8192).
        """
        descriptors = self.picture.descriptors
        points = self.picture.features.points
        regions: list[NDArray[np.bool_]] = [np.ones(len(descriptors), np.bool_)]
        for top in CANDIDATES.window_starts:
            for left in CANDIDATES.window_starts:
                offset = points - np.array([left, top], np.float32)
                inside = np.asarray(
                    ((offset >= 0) & (offset <= CANDIDATES.window)).all(axis=1), np.bool_
                )
                if FEWEST <= inside.sum() < len(descriptors):
                    regions.append(inside)
        vectors = [codebook.aggregate(descriptors, np.stack(regions))]
        other_views = [View.MIRRORED, View.NEGATIVE]
        for view in other_views:
            vectors.append(codebook.aggregate(descriptors[:, view.order], np.stack(regions[:1])))
        return [View.AS_IT_IS] * len(regions) + other_views, np.concatenate(vectors)

    def _candidates_by_votes(self, stored: StoredFeatures, most: int) -> list[tuple[int, View]]:
        views = list(View)
        votes = np.stack([self._votes(stored, view) for view in views])
        # Fewer features are searched in some views: the same votes say more there. Chance gives
        # votes in proportion to the root of their number.
        shares = np.array([CANDIDATES.share(view) for view in views])[:, None]
        enough = votes >= CANDIDATES.least_votes
        scores = np.where(enough, votes / np.sqrt(shares), 0.0).reshape(-1)
        count = min(most, len(scores))
        # By score, then row: with partition only, the order of ties would be undefined.
        least = np.partition(scores, -count)[-count]
        likely = np.flatnonzero((scores >= least) & (scores > 0))
        likely = likely[np.argsort(-scores[likely], kind="stable")][:count]
        return [(int(index % len(stored)), views[int(index // len(stored))]) for index in likely]

    def _votes(self, stored: StoredFeatures, view: View) -> NDArray[np.float64]:
        """Votes for each stored row, (rows,)."""
        queries = self._in_view(view, CANDIDATES.share(view))
        near, features = stored.features.nearest(
            queries.values, CANDIDATES.neighbours, queries.cells, queries.distances
        )
        valid = features >= 0
        # With fewer neighbours than asked for, the last counts as an unrelated descriptor.
        last = np.where(valid.all(axis=1), near[:, -1], queries.distances[:, 0])[:, None]
        weight = np.where(valid, 1.0 - near / np.maximum(last, 1e-6), 0.0).clip(0.0, 1.0)
        sums = np.bincount(
            stored.row_of_feature[features[valid]],
            weight[valid] ** CANDIDATES.vote_power,
            len(stored),
        )
        return np.asarray(sums, np.float64)

    def _in_view(self, view: View, share: float = 1.0) -> _Descriptors:
        """The first descriptors of the picture, `share` of them, in a view."""
        count = int(share * len(self.picture.descriptors))
        if (view, count) not in self._cache:
            values = np.ascontiguousarray(self.picture.descriptors[:count, view.order])
            self._cache[view, count] = _Descriptors(
                values, *self._codebook.nearest_centroids(values, CANDIDATES.probes)
            )
        return self._cache[view, count]

    def verified_overlaps(
        self, stored: StoredFeatures, row: int, view: View | None, *, features_searched: bool
    ) -> Iterator[VerifiedOverlap]:
        """Overlaps with a stored picture, none of them checked against a run's settings yet.

        Args:
            stored: the stored rows.
            row: which of them.
            view: the view in which it is a candidate of this stage; None for a candidate of another
                stage. Then it is compared as a whole, and, unless the search over features has
                already had its chance to find it (`features_searched`), by its features in every
                view.
            features_searched: whether this stage's candidates come from all stored features.
        """
        work = stored.picture(row)
        views = () if view is None and features_searched else View if view is None else (view,)
        for one in views:
            verified = verify(self.picture.features, work.features, self._matches(work, one), one)
            if verified is None:
                continue
            transform = homography(
                verified.transform, self.picture.features.aspect, work.features.aspect, one
            )
            yield self._overlap(work, row, verified, transform, negative=one is View.NEGATIVE)
        if view is None:
            yield from self._whole_overlap(work, row)

    def _overlap(
        self,
        work: Picture,
        row: int,
        verified: VerifiedTransform | None,
        transform: NDArray[np.float64],
        *,
        negative: bool,
    ) -> VerifiedOverlap:
        inliers, score, distinctiveness = 0, 0.0, 1.0
        if verified is not None:
            inliers, score = len(verified.asset), verified.weighted_inliers
            distinctiveness = verified.distinctiveness
        asset_pixels, work_pixels = self.picture.reduced, work.reduced
        agreed = overlap(asset_pixels, work_pixels, transform, negative=negative, patterns=False)
        if OVERLAPS.refine_from < agreed.agreement < OVERLAPS.refine_to:
            moved = refined_transform(asset_pixels, work_pixels, transform, negative=negative)
            moved_agreed = overlap(
                asset_pixels, work_pixels, moved, negative=negative, patterns=False
            )
            if moved_agreed.agreement > agreed.agreement:
                agreed, transform = moved_agreed, moved
        repeated = 0.0
        if agreed.agreement > OVERLAPS.refine_from:
            if agreed.agreement < OVERLAPS.certain or agreed.contradiction > 0:
                agreed = overlap(asset_pixels, work_pixels, transform, negative=negative)
            if score < OVERLAPS.pattern_score:
                repeated = (
                    1.0
                    if distinctiveness < OVERLAPS.least_distinctiveness
                    else repetition(asset_pixels, work_pixels, transform, negative=negative)
                )
        return VerifiedOverlap(
            self.picture.frame, row, inliers, score, agreed, repeated, transform, negative
        )

    def _whole_overlap(self, work: Picture, row: int) -> Iterator[VerifiedOverlap]:
        """Pictures too blurred or repainted for features may still agree as wholes."""
        likely = whole_transform(self.picture.reduced, work.reduced)
        if likely is not None:
            transform, negative = likely
            yield self._overlap(work, row, None, transform, negative=negative)

    def _matches(self, work: Picture, view: View) -> Matches:
        asset = self._in_view(view)
        return match_descriptors(asset.values, asset.distances[:, 0], work.descriptors)
