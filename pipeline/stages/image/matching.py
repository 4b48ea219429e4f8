"""Comparing a frame of an asset with stored pictures by their local features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.image.codebook import Codebook
from pipeline.stages.image.feature_rows import Picture, check_form, pictures
from pipeline.stages.image.feature_schema import FEWEST
from pipeline.stages.image.geometric_verification import (
    Agreement,
    Matches,
    agreement,
    homography,
    matched,
)
from pipeline.stages.image.pixel_agreement import (
    Overlap,
    overlap,
    refined_transform,
    repetition,
    whole_transform,
)
from pipeline.stages.image.sift import View
from pipeline.stages.image.vlad import CODE_BYTES, Aggregates
from reference_index.interface import StageEntries, WorkFile
from reference_index.ivf_pq import IVFPQIndex
from reference_index.pq import PQIndex

PROBES, NEIGHBOURS = 2, 8
LEAST_VOTE = 0.06
"""Votes below which a stored picture is not worth a comparison: hardly any copy has less, and of
the candidates that an unrelated picture brings most do."""
ASKED = {"AS_IT_IS": 1.0, "MIRRORED": 0.5, "NEGATIVE": 0.25}
"""Share of a picture's features, the strongest, that nominate candidates in each view: rarer views
get less of the time. All are compared once there is a candidate."""
SHARPNESS = 4
"""A vote is the share by which a neighbour is nearer than the last of the neighbours, to this
power: one match that stands out says more than many that do not."""
WINDOW, WINDOWS_AT = 0.5, (0.0, 0.25, 0.5)
"""Windows of an asset, as shares of its sides and the places where they start along each: a work
set into a larger picture fills one of them and not the whole."""
OTHERS = 8
"""Nearest other works whose mean likeness is taken off each likeness."""
LEAST_STANDING_OUT = 0.008
"""How much a likeness must stand out to be worth a comparison: among the nearest eight, every copy
did, and nearly half of the works beside it did not."""
UNREPEATED = 16.0
"""Strength of features that is more than repeated patterns, such as checkerboards, gave."""
LEAST_LONE = 0.85
"""Features that agree and are not alone in the work, see `geometry.Agreement`: those of copies had
0.92 and more, those of rows of dots 0.8 and less."""
ALIKE = 0.9
"""Agreement from which, if nothing is contradicted, it need not be asked what it consists of."""
DOUBTFUL = (0.1, 0.8)
"""Agreements between which the place of an overlap is worth refining."""


@dataclass(frozen=True)
class Found:
    """An overlap of a frame with a stored row.

    Attributes:
        frame: number of the frame in its file.
        row: the stored row.
        inliers, strength: features that agree on the transform, and what they speak for it
            together; 0 where the two were compared as wholes.
        overlap: what the two pictures show alike under the transform.
        repeats: share of the agreement that another place has too, see `likeness.repeats`; 1
            where the features are one mark met again and again, such as a row of dots; 0 where
            they are strong enough for a repeated pattern too.
        transform: float64 (3, 3), from shares of the work's width and height to the asset's.
        negative: whether the asset shows the work's negative.
    """

    frame: int
    row: int
    inliers: int
    strength: float
    overlap: Overlap
    repeats: float
    transform: NDArray[np.float64]
    negative: bool

    @property
    def rank(self) -> tuple[float, int, int]:
        """The least is the best."""
        # What features agree on, and a little for pictures that agree without any.
        return (-(self.strength + 1.0) * self.overlap.agreement, self.row, self.frame)


class Stored:
    """The stored rows, read as they are needed, and a search that nominates some of them.

    Args:
        entries: the stage's stored rows.
        book: what descriptors are compressed with.
        aggregates: if the pictures' aggregated features are searched, what these are made with;
            None if every feature is.
    """

    def __init__(
        self, entries: StageEntries, book: Codebook, aggregates: Aggregates | None = None
    ) -> None:
        self.entries = entries
        self.aggregates = aggregates
        check_form(entries.rows)
        if aggregates is None:
            self.row_of, self.vectors = _features(entries, book)
        else:
            self.whole = _wholes(entries, aggregates)
        order = np.argsort(entries.file_of_row, kind="stable")
        files, starts = np.unique(entries.file_of_row[order], return_index=True)
        self._rows = dict(zip(files.tolist(), np.split(order, starts[1:]), strict=True))

    def __len__(self) -> int:
        return len(self.entries)

    def file(self, row: int) -> WorkFile:
        """The file that a row is of."""
        return self.entries.files[int(self.entries.file_of_row[row])]

    def picture(self, row: int) -> Picture:
        """A row as it is compared."""
        return pictures(self.entries.rows.slice(row, 1))[0]

    def rows_of(self, named: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        """Rows of files, with the ways that nominated them."""
        return {
            int(row): ways
            for position, ways in named.items()
            for row in self._rows.get(position, ())
        }


def _features(entries: StageEntries, book: Codebook) -> tuple[NDArray[np.int64], IVFPQIndex]:
    """The row of each stored feature, and the search over them."""
    cells, codes = (entries.rows.column(name).to_pylist() for name in ("cells", "codes"))
    counts = [len(one) // 2 for one in cells]
    return np.repeat(np.arange(len(counts)), counts), IVFPQIndex(
        book.cells,
        book.words,
        np.frombuffer(b"".join(cells), "<u2").astype(np.int64),
        np.frombuffer(b"".join(codes), np.uint8).reshape(sum(counts), -1),
    )


def _wholes(entries: StageEntries, aggregates: Aggregates) -> PQIndex:
    codes = b"".join(entries.rows.column("aggregate").to_pylist())
    stored = np.frombuffer(codes, np.uint8)
    if len(stored) != CODE_BYTES * len(entries):
        raise ValueError("a local_features row has an aggregate of another length")
    return PQIndex(aggregates.words, stored.reshape(len(entries), CODE_BYTES))


@dataclass(frozen=True)
class _InView:
    """Descriptors of an asset in a view, float32 (n, 128), their nearest cells, int64 (n, probes),
    and the squared distances to them, float32 (n, probes): the first is how far off an unrelated
    descriptor would be.
    """

    descriptors: NDArray[np.float32]
    cells: NDArray[np.int64]
    distances: NDArray[np.float32]


class Comparison:
    """One frame of an asset, compared with stored pictures."""

    def __init__(self, picture: Picture, book: Codebook) -> None:
        self.picture = picture
        self._book = book
        self._in_view: dict[tuple[View, int], _InView] = {}

    def nominated(self, stored: Stored, most: int) -> list[tuple[int, View]]:
        """Up to `most` stored rows, and the views in which they are likest: by votes of the
        features or, where these are not searched, by their aggregate.
        """
        if stored.aggregates is None:
            return self._voted(stored, most)
        return self._likest(stored, stored.aggregates, most)

    def _likest(self, stored: Stored, aggregates: Aggregates, most: int) -> list[tuple[int, View]]:
        """By how much the likeness stands out among those with other works; in each view, and in
        each window of the picture as it is.
        """
        views, vectors = self.aggregated(aggregates)
        products, rows = stored.whole.nearest(vectors, most + OTHERS)
        best: dict[tuple[int, View], float] = {}
        for view, near, which in zip(views, products.tolist(), rows.tolist(), strict=True):
            likest: dict[str, float] = {}
            hits = [(row, value) for row, value in zip(which, near, strict=True) if row >= 0]
            for row, value in hits:
                likest.setdefault(stored.file(row).work_id, value)
            for row, value in hits[:most]:
                own = stored.file(row).work_id
                others = [other for work, other in likest.items() if work != own][:OTHERS]
                score = value - (sum(others) / len(others) if others else 0.0)
                if score >= LEAST_STANDING_OUT:
                    best[row, view] = max(score, best.get((row, view), score))
        ranked = sorted(best, key=lambda one: (-best[one], one[0], one[1].name))
        return ranked[:most]

    def aggregated(self, aggregates: Aggregates) -> tuple[list[View], NDArray[np.float32]]:
        """Aggregates of the picture in each view, then of its windows as it is, float32 (n, 8192),
        and the view of each.
        """
        descriptors = self.picture.descriptors
        places = self.picture.features.points
        parts: list[NDArray[np.bool_]] = [np.ones(len(descriptors), np.bool_)]
        for top in WINDOWS_AT:
            for left in WINDOWS_AT:
                at = places - np.array([left, top], np.float32)
                inside = np.asarray(((at >= 0) & (at <= WINDOW)).all(axis=1), np.bool_)
                if FEWEST <= inside.sum() < len(descriptors):
                    parts.append(inside)
        found = [aggregates.vectors(descriptors, np.stack(parts))]
        turned = [View.MIRRORED, View.NEGATIVE]
        for view in turned:
            found.append(aggregates.vectors(descriptors[:, view.order], np.stack(parts[:1])))
        return [View.AS_IT_IS] * len(parts) + turned, np.concatenate(found)

    def _voted(self, stored: Stored, most: int) -> list[tuple[int, View]]:
        views = list(View)
        votes = np.stack([self._votes(stored, view) for view in views])
        # Where fewer features are asked, as much says more; by the root of it, as chance goes.
        shares = np.array([ASKED[view.name] for view in views])[:, None]
        scores = np.where(votes >= LEAST_VOTE, votes / np.sqrt(shares), 0.0).reshape(-1)
        count = min(most, len(scores))
        # By score, then row: partition alone would leave ties to chance.
        least = np.partition(scores, -count)[-count]
        likely = np.flatnonzero((scores >= least) & (scores > 0))
        likely = likely[np.argsort(-scores[likely], kind="stable")][:count]
        return [(int(at % len(stored)), views[int(at // len(stored))]) for at in likely]

    def _votes(self, stored: Stored, view: View) -> NDArray[np.float64]:
        asked = self.seen(view, ASKED[view.name])
        near, which = stored.vectors.nearest(
            asked.descriptors, NEIGHBOURS, asked.cells, asked.distances
        )
        found = which >= 0
        # Where fewer neighbours than asked for were found, as far as an unrelated one would be.
        last = np.where(found.all(axis=1), near[:, -1], asked.distances[:, 0])[:, None]
        weight = np.where(found, 1.0 - near / np.maximum(last, 1e-6), 0.0).clip(0.0, 1.0)
        sums = np.bincount(stored.row_of[which[found]], weight[found] ** SHARPNESS, len(stored))
        return np.asarray(sums, np.float64)

    def seen(self, view: View, share: float = 1.0) -> _InView:
        """The first of the picture's descriptors, a share of them, in a view."""
        count = int(share * len(self.picture.descriptors))
        if (view, count) not in self._in_view:
            descriptors = np.ascontiguousarray(self.picture.descriptors[:count, view.order])
            self._in_view[view, count] = _InView(
                descriptors, *self._book.nearest_cells(descriptors, PROBES)
            )
        return self._in_view[view, count]

    def verified(
        self, stored: Stored, row: int, view: View | None, *, looked_for: bool
    ) -> Iterator[Found]:
        """Overlaps with a stored picture.

        Args:
            stored: the stored rows.
            row: which of them.
            view: the view in which this stage nominated it; None if another stage did. Then it is
                compared as a whole, and, unless the search over features looked for it already
                (`looked_for`), by its features in every view.
        """
        work = stored.picture(row)
        views = () if view is None and looked_for else View if view is None else (view,)
        for one in views:
            fit = agreement(self.picture.features, work.features, self._matches(work, one), one)
            if fit is None:
                continue
            transform = homography(
                fit.transform, self.picture.features.aspect, work.features.aspect, one
            )
            yield self._found(work, row, fit, transform, negative=one is View.NEGATIVE)
        if view is None:
            yield from self._as_whole(work, row)

    def _found(
        self,
        work: Picture,
        row: int,
        fit: Agreement | None,
        transform: NDArray[np.float64],
        *,
        negative: bool,
    ) -> Found:
        inliers, strength, lone = (
            (0, 0.0, 1.0) if fit is None else (len(fit.asset), fit.strength, fit.lone)
        )
        mine, theirs = self.picture.reduced, work.reduced
        seen = overlap(mine, theirs, transform, negative=negative, patterns=False)
        if DOUBTFUL[0] < seen.agreement < DOUBTFUL[1]:
            moved = refined_transform(mine, theirs, transform, negative=negative)
            again = overlap(mine, theirs, moved, negative=negative, patterns=False)
            if again.agreement > seen.agreement:
                seen, transform = again, moved
        other = 0.0
        if seen.agreement > DOUBTFUL[0]:
            if seen.agreement < ALIKE or seen.contradiction > 0:
                seen = overlap(mine, theirs, transform, negative=negative)
            if lone < LEAST_LONE and strength < UNREPEATED:
                other = 1.0
            elif strength < UNREPEATED:
                other = repetition(mine, theirs, transform, negative=negative)
        return Found(self.picture.frame, row, inliers, strength, seen, other, transform, negative)

    def _as_whole(self, work: Picture, row: int) -> Iterator[Found]:
        """Pictures too blurred or repainted for features may still agree as wholes."""
        likely = whole_transform(self.picture.reduced, work.reduced)
        if likely is not None:
            transform, negative = likely
            yield self._found(work, row, None, transform, negative=negative)

    def _matches(self, work: Picture, view: View) -> Matches:
        mine = self.seen(view)
        return matched(mine.descriptors, mine.distances[:, 0], work.descriptors)
