"""Candidates for alignment: boxes around equal k-grams that are close together, and around windows
whose MinHash signatures are similar.

A worked example for k-grams, with k = 3 and one of every 3 stored. The work has the 7 words "the
ferry left at six as it", so 5 k-grams, whose hashes may be 50, 20, 90, 40, 70:

    winnowing   of (50, 20, 90) and of (20, 90, 40) the least is 20, at position 1; of (90, 40, 70)
                it is 40, at position 3; so the k-grams at positions 1 and 3 are stored
    look-up     an asset with these 7 words from its word 100 on looks up all of its k-grams:
                the hits are (101, 1) and (103, 3), as (position in the asset, in the work)
    box         the hits are 2 words apart, so they are one box: asset words 101 to 106, work words
                1 to 6 (half open)
    candidate   its k-grams cover 5 words of the asset. `covered` asks for 7, but the work has no
                more than `short_words`, so the box is aligned

For MinHash, a signature has 126 of its 128 values in 42 bands of 3. Windows of Jaccard similarity J
agree in some band, and are compared, with probability 1 - (1 - J ** 3) ** 42: 0.94 for 0.4, 0.68
for 0.3, and 0.00004 for 0.01, which unrelated windows have.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.text.chaining import Box
from pipeline.stages.text.rarity import Rarity
from pipeline.stages.text.text_rows import WINDOW_WORDS, TextRows
from pipeline.stages.text.words import shingles_of
from reference_index.array_cache import cached_arrays
from reference_index.minhash import MinHashIndex
from reference_index.postings import PostingHits, Postings, gram_keys, winnow


@dataclass(frozen=True, slots=True)
class CandidateSettings:
    """Constants of the search for candidates.

    Attributes:
        gram_words: words of a k-gram. Of 4, a passage with every fourth word changed would have
            none.
        winnow_grams: of so many k-grams in a row one is stored, so any run of
            `gram_words + winnow_grams - 1` = 5 agreeing words is certain to have a hit.
        most_postings: stored positions of a k-gram that are looked at; a more frequent k-gram says
            little. Bounds the time in a large index.
        rarest_of: of every so many k-grams in a row (13 k-grams are 15 words) the rarest is looked
            up, however frequent, so that no 15 words of the asset are passed over.
        most_repeats: occurrences of one k-gram of the asset that are looked up. Bounds the time for
            a text that repeats itself.
        gap: words between two equal k-grams of one box, at most, on either side.
        covered: words of the asset that the k-grams of a box must cover, more than two k-grams: one
            or two equal k-grams are chance in long texts.
        short_words: words of a text that is short: in a work or an asset of so few, one k-gram is
            enough.
        minhash_bands, minhash_rows: bands of the MinHash index, and values in each; see above.
        most_windows: pairs of windows that are aligned between an asset and one stored text, the
            most similar. Bounds the time for a text that repeats itself.
    """

    gram_words: int = 3
    winnow_grams: int = 3
    most_postings: int = 16
    rarest_of: int = 13
    most_repeats: int = 8
    gap: int = 40
    covered: int = 7
    short_words: int = 20
    minhash_bands: int = 42
    minhash_rows: int = 3
    most_windows: int = 256


SETTINGS = CandidateSettings()
GRAM_WORDS = SETTINGS.gram_words

CACHE_NAME = f"grams-1-{GRAM_WORDS}-{SETTINGS.winnow_grams}"
"""Name of the cached postings; change its number whenever they would come out otherwise."""
_NAME_MASK = np.uint32(0x9E3779B9)
"""The value of every name in masked k-grams."""
_MOST_SPLITS = 20


@dataclass(frozen=True)
class Grams:
    """The k-grams of a text, of its words and of its words with names masked.

    Attributes:
        keys: uint32 (m,), of both kinds, in the order of `positions`.
        positions: int64 (m,), the first word of each.
    """

    keys: NDArray[np.uint32]
    positions: NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Where a text may agree with stored texts.

    Attributes:
        boxes: by stored row, the boxes, in words of the asset and of the row.
        jaccard: by stored row, the greatest estimated Jaccard similarity of two windows; only rows
            that MinHash found.
        commonness: int64 (words,), of the most common k-gram that covers each word of the asset: in
            how many works it is, or how often in the asset, whichever is more.
    """

    boxes: dict[int, list[Box]]
    jaccard: dict[int, float]
    commonness: NDArray[np.int64]


def masked_names(texts: TextRows) -> NDArray[np.uint32]:
    """uint32 (words,): the words, with one value for every name."""
    return np.where(texts.names, _NAME_MASK, texts.words)


def _grams_with_a_name(names: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which k-grams hold a name and at least two other words."""
    running = np.concatenate([[0], np.cumsum(names)])
    count = running[GRAM_WORDS:] - running[:-GRAM_WORDS]
    with_a_name: NDArray[np.bool_] = (count >= 1) & (count < GRAM_WORDS - 1)
    return with_a_name


def query_grams(texts: TextRows) -> Grams:
    """Every k-gram of one text, and every k-gram with names masked that holds one."""
    if len(texts.words) < GRAM_WORDS:
        return Grams(np.empty(0, np.uint32), np.empty(0, np.int64))
    plain = gram_keys(shingles_of(texts.words, GRAM_WORDS))
    named = np.flatnonzero(_grams_with_a_name(texts.names))
    masked = gram_keys(shingles_of(masked_names(texts), GRAM_WORDS)[named])
    return Grams(np.concatenate([plain, masked]), np.concatenate([np.arange(len(plain)), named]))


def stored_grams(texts: TextRows) -> Grams:
    """The winnowed k-grams of stored texts; positions count over all rows."""
    if len(texts.words) < GRAM_WORDS:
        return Grams(np.empty(0, np.uint32), np.empty(0, np.int64))
    row = np.repeat(np.arange(len(texts)), np.diff(texts.offsets))
    inside = row[: len(row) - GRAM_WORDS + 1] == row[GRAM_WORDS - 1 :]
    keys, positions = [], []
    named = _grams_with_a_name(texts.names)
    for words, wanted in ((texts.words, inside), (masked_names(texts), inside & named)):
        hashes = shingles_of(words, GRAM_WORDS)
        # A k-gram that reaches over the end of a row gets the greatest hash, so that winnowing
        # keeps it only where a whole window of them is.
        hashes[~inside] = np.iinfo(np.uint64).max
        stored = winnow(hashes, SETTINGS.winnow_grams)
        stored = stored[wanted[stored]]
        keys.append(gram_keys(hashes[stored]))
        positions.append(stored)
    return Grams(np.concatenate(keys), np.concatenate(positions))


def _cached_arrays(texts: TextRows) -> dict[str, NDArray[Any]]:
    """What is cached of stored texts: their postings, and how often each word occurs in them."""
    grams = stored_grams(texts)
    postings = Postings.build(grams.keys, grams.positions)
    words, counts = np.unique(texts.words, return_counts=True)
    return {
        "keys": postings.keys,
        "places": postings.positions,
        "words": words,
        "counts": counts.astype(np.int64),
    }


class TextIndex:
    """The stored texts, with the searches over them.

    Args:
        texts: of all stored rows.
        work_of_row: int64 (rows,), the same number for rows of one work.
        folder: where the postings are cached, see `array_cache`.
    """

    def __init__(
        self, texts: TextRows, work_of_row: NDArray[np.int64], folder: Path | None = None
    ) -> None:
        self.texts = texts
        self.work_of_row = work_of_row
        arrays = cached_arrays(folder, CACHE_NAME, lambda: _cached_arrays(texts))
        self.postings = Postings(arrays["keys"], arrays["places"])
        self.rarity = Rarity(arrays["words"], arrays["counts"])
        # Each signature of a text once: otherwise the time to compare two texts that repeat
        # themselves would grow with the square of their length.
        distinct = _distinct_windows(texts)
        self.windows = MinHashIndex(
            texts.signatures[distinct], bands=SETTINGS.minhash_bands, rows=SETTINGS.minhash_rows
        )
        self._window_row = texts.window_row[distinct]
        self._window_start = texts.window_start[distinct]

    def words(self, row: int) -> NDArray[np.uint32]:
        """The words of a stored row."""
        return self.texts.words[self.texts.offsets[row] : self.texts.offsets[row + 1]]

    def candidates(self, query: TextRows, min_jaccard: float) -> Candidates:
        """Where one text may agree with stored texts.

        Args:
            query: one row.
            min_jaccard: least estimated Jaccard similarity of two windows.
        """
        boxes, commonness = self._by_grams(query)
        jaccard: dict[int, float] = {}
        distinct = _distinct_windows(query)
        hits = self.windows.above(query.signatures[distinct], min_jaccard)
        # In a text that repeats itself every window is similar to every other: keep the best.
        window_row = self._window_row[hits.entry]
        order = np.lexsort((hits.entry, hits.query, -hits.score, window_row))
        best = order[_ranks(window_row[order]) < SETTINGS.most_windows]
        for window, entry, score in zip(
            distinct[hits.query[best]].tolist(),
            hits.entry[best].tolist(),
            hits.score[best].tolist(),
            strict=True,
        ):
            row = int(self._window_row[entry])
            jaccard[row] = max(score, jaccard.get(row, 0.0))
            start, work_start = int(query.window_start[window]), int(self._window_start[entry])
            boxes.setdefault(row, []).append(
                Box(
                    start,
                    min(start + WINDOW_WORDS, len(query.words)),
                    work_start,
                    min(work_start + WINDOW_WORDS, len(self.words(row))),
                )
            )
        return Candidates(boxes, jaccard, commonness)

    def _by_grams(self, query: TextRows) -> tuple[dict[int, list[Box]], NDArray[np.int64]]:
        grams = query_grams(query)
        looked_up, occurrences = _first_occurrences(grams.keys)
        keys, positions = grams.keys[looked_up], grams.positions[looked_up]
        first, last = self.postings.ranges(keys)
        hits = self.postings.hits(
            first, last, max_postings=SETTINGS.most_postings, window=SETTINGS.rarest_of
        )
        row = np.searchsorted(self.texts.offsets, hits.position, "right") - 1
        commonness = self._works_with(hits, row, positions, len(query.words))
        for offset in range(GRAM_WORDS):
            np.maximum.at(commonness, grams.positions + offset, occurrences)
        short = len(query.words) <= SETTINGS.short_words
        boxes = self._boxes(
            positions[hits.query],
            row,
            hits.position - self.texts.offsets[row],
            covered=1 if short else SETTINGS.covered,
        )
        return boxes, commonness

    def _works_with(
        self,
        hits: PostingHits,
        row: NDArray[np.int64],
        positions: NDArray[np.int64],
        count: int,
    ) -> NDArray[np.int64]:
        """int64 (count,): in how many works the most common k-gram is that covers each word of the
        asset; 1 where there is none.
        """
        works_with = np.ones(count, np.int64)
        works = int(self.work_of_row.max()) + 1 if len(self.work_of_row) else 1
        pairs = np.unique(hits.query * works + self.work_of_row[row])
        gram, number = np.unique(pairs // works, return_counts=True)
        for offset in range(GRAM_WORDS):
            np.maximum.at(works_with, positions[gram] + offset, number)
        return works_with

    def _boxes(
        self,
        asset: NDArray[np.int64],
        row: NDArray[np.int64],
        work: NDArray[np.int64],
        *,
        covered: int,
    ) -> dict[int, list[Box]]:
        """By stored row, the boxes around hits that are close together.

        Args:
            asset, work: int64 (hits,), position of each hit in the asset, and in its row.
            row: int64 (hits,), the stored row of each hit.
            covered: words of the asset that the k-grams of a box must cover, in a row that is not
                short.
        """
        if not len(asset):
            return {}
        label = clusters(row, asset, work, SETTINGS.gap)
        order = np.lexsort((asset, label))
        label, asset, row, work = label[order], asset[order], row[order], work[order]
        first = np.flatnonzero(np.concatenate([[True], label[1:] != label[:-1]]))
        # Words that each k-gram covers before the next one of its box begins.
        step = np.minimum(np.diff(asset, append=asset[-1] + GRAM_WORDS), GRAM_WORDS)
        step[np.append(first[1:] - 1, len(asset) - 1)] = GRAM_WORDS
        covers = np.add.reduceat(step, first)
        lengths = np.diff(self.texts.offsets)[row[first]]
        wanted = np.flatnonzero((covers >= covered) | (lengths <= SETTINGS.short_words))
        ends = [np.maximum.reduceat(values, first) + GRAM_WORDS for values in (asset, work)]
        starts = [np.minimum.reduceat(values, first) for values in (asset, work)]
        boxes: dict[int, list[Box]] = {}
        for k in wanted.tolist():
            boxes.setdefault(int(row[first[k]]), []).append(
                Box(int(starts[0][k]), int(ends[0][k]), int(starts[1][k]), int(ends[1][k]))
            )
        return boxes


def clusters(
    group: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64], gap: int
) -> NDArray[np.int64]:
    """Points clustered where no gap on either axis is wider than `gap`.

    The points of a group are split at gaps along x, each part at gaps along y, and so on until
    nothing is split any more. A cluster has no wide gap on either axis, in whichever order
    its points are: sentences that were moved stay together.

    Args:
        group: int64 (n,); points of different groups are never in one cluster.
        x, y: int64 (n,).
        gap: the widest gap inside a cluster.

    Returns:
        int64 (n,), a number for each point; equal for points of one cluster.
    """
    label = np.asarray(group, np.int64)
    count_before = -1
    for number in range(2 * _MOST_SPLITS):
        axis = x if number % 2 == 0 else y
        order = np.lexsort((axis, label))
        sorted_label, sorted_axis = label[order], axis[order]
        breaks = (sorted_label[1:] != sorted_label[:-1]) | (np.diff(sorted_axis) > gap)
        split = np.empty(len(label), np.int64)
        split[order] = np.concatenate([[0], np.cumsum(breaks)])
        label = split
        count = int(breaks.sum()) + 1
        if number and count == count_before:
            break
        count_before = count
    return label


def _first_occurrences(
    keys: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in `keys` of the first `most_repeats` of each key, ascending; and, for every
    position, how often its key occurs in `keys`.
    """
    order = np.argsort(keys, kind="stable")
    if not len(order):
        return order, np.empty(0, np.int64)
    ordered = keys[order]
    rank = _ranks(ordered)
    first = np.flatnonzero(rank == 0)
    sizes = np.diff(np.append(first, len(ordered)))
    occurrences = np.empty(len(ordered), np.int64)
    occurrences[order] = np.repeat(sizes, sizes)
    return np.sort(order[rank < SETTINGS.most_repeats]), occurrences


def _ranks(ordered: NDArray[Any]) -> NDArray[np.int64]:
    """For each of sorted values, how many equal ones come before it."""
    if not len(ordered):
        return np.empty(0, np.int64)
    first = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    sizes = np.diff(np.append(first, len(ordered)))
    ranks: NDArray[np.int64] = np.arange(len(ordered)) - np.repeat(first, sizes)
    return ranks


def _distinct_windows(texts: TextRows) -> NDArray[np.int64]:
    """Windows whose signature no earlier window of the same text has."""
    folded = texts.window_row.astype(np.uint64)
    for column in range(0, texts.signatures.shape[1], 2):
        folded = (folded ^ texts.signatures[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
        folded ^= folded >> np.uint64(29)
    _, first = np.unique(folded, return_index=True)
    return np.sort(first)
