"""Where two texts may agree: boxes around equal k-grams that lie together, and around windows that
MinHash finds alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.text.chaining import Box
from pipeline.stages.text.rarity import Rarity
from pipeline.stages.text.text_rows import WINDOW_WORDS, Texts
from pipeline.stages.text.words import shingles_of
from reference_index.kept_arrays import kept_arrays
from reference_index.minhash import MinHashIndex
from reference_index.postings import PostingHits, Postings, gram_keys, winnowed

GRAM_WORDS = 3
"""Longer ones would miss a passage with every fourth word changed."""
WINDOW_GRAMS = 3
"""Of so many k-grams in a row one is stored: five words that agree are certain to be met."""
KEPT = f"grams-1-{GRAM_WORDS}-{WINDOW_GRAMS}"
"""Name of the kept postings; changed whenever they would come out otherwise."""
MOST_PLACES = 16
"""Postings of one k-gram that are looked at; a more frequent one says little."""
TOGETHER = 13
"""The k-grams of 15 words: of every so many the rarest is looked at, however frequent."""
REPEATS = 8
"""How often one k-gram of a text is looked up."""
GAP = 40
"""Words between two equal k-grams of one box, at most, on either side."""
COVERED = 7
"""Words of the asset that the equal k-grams of a box must cover."""
SHORT_WORDS = 20
"""In a work or an asset this short one k-gram is enough."""
BANDS, ROWS = 42, 3
"""Of the MinHash index: windows of Jaccard similarity 0.3 are met with probability 0.68, of 0.4
with 0.94; of 0.01, as strangers have, with 0.00004."""
MOST_WINDOWS = 256
"""Pairs of windows that are looked at between a text and one stored text, the most alike."""
_MASK = np.uint32(0x9E3779B9)
"""Stands for every name."""
_ROUNDS = 20


@dataclass(frozen=True)
class Grams:
    """The k-grams of a text, of its words and of its words with names masked.

    Attributes:
        keys: uint32 (m,), both kinds, in the order of `places`.
        places: int64 (m,), the first word of each.
    """

    keys: NDArray[np.uint32]
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """Where a text may agree with stored ones.

    Attributes:
        boxes: by row, the boxes, in words of the asset and of the row.
        jaccard: by row, the greatest estimated Jaccard similarity of two windows, if MinHash found
            the row.
        spread: int64 (words,), of the k-grams that cover each word, in how many works the most
            frequent stands, or how often in the text itself if that is more.
    """

    boxes: dict[int, list[Box]]
    jaccard: dict[int, float]
    spread: NDArray[np.int64]


def masked(texts: Texts) -> NDArray[np.uint32]:
    """The words with one value for every name."""
    return np.where(texts.names, _MASK, texts.words)


def _with_a_name(names: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which k-grams hold a name, and words that are none."""
    running = np.concatenate([[0], np.cumsum(names)])
    held = running[GRAM_WORDS:] - running[:-GRAM_WORDS]
    found: NDArray[np.bool_] = (held >= 1) & (held < GRAM_WORDS - 1)
    return found


def query_grams(texts: Texts) -> Grams:
    """Every k-gram of one text, and every k-gram with names masked that holds one."""
    if len(texts.words) < GRAM_WORDS:
        return Grams(np.empty(0, np.uint32), np.empty(0, np.int64))
    plain = gram_keys(shingles_of(texts.words, GRAM_WORDS))
    named = np.flatnonzero(_with_a_name(texts.names))
    hidden = gram_keys(shingles_of(masked(texts), GRAM_WORDS)[named])
    return Grams(np.concatenate([plain, hidden]), np.concatenate([np.arange(len(plain)), named]))


def stored_grams(texts: Texts) -> Grams:
    """The winnowed k-grams of stored texts; places count over all rows."""
    if len(texts.words) < GRAM_WORDS:
        return Grams(np.empty(0, np.uint32), np.empty(0, np.int64))
    row = np.repeat(np.arange(len(texts)), np.diff(texts.offsets))
    inside = row[: len(row) - GRAM_WORDS + 1] == row[GRAM_WORDS - 1 :]
    keys, places = [], []
    named = _with_a_name(texts.names)
    for words, wanted in ((texts.words, inside), (masked(texts), inside & named)):
        hashes = shingles_of(words, GRAM_WORDS)
        # One that reaches over the end of a row is never the least, but beside its like.
        hashes[~inside] = np.iinfo(np.uint64).max
        kept = winnowed(hashes, WINDOW_GRAMS)
        kept = kept[wanted[kept]]
        keys.append(gram_keys(hashes[kept]))
        places.append(kept)
    return Grams(np.concatenate(keys), np.concatenate(places))


def _built(texts: Texts) -> dict[str, NDArray[Any]]:
    """What is kept of stored texts: their postings, and how often each word stands in them."""
    grams = stored_grams(texts)
    postings = Postings.of(grams.keys, grams.places)
    words, counts = np.unique(texts.words, return_counts=True)
    return {
        "keys": postings.keys,
        "places": postings.places,
        "words": words,
        "counts": counts.astype(np.int64),
    }


class StoredTexts:
    """The stored texts, with the searches over them.

    Args:
        texts: of all stored rows.
        work_of_row: int64 (rows,), the same number for rows of one work.
        folder: where the postings are kept, see `kept_arrays`.
    """

    def __init__(
        self, texts: Texts, work_of_row: NDArray[np.int64], folder: Path | None = None
    ) -> None:
        self.texts = texts
        self.work_of_row = work_of_row
        kept = kept_arrays(folder, KEPT, lambda: _built(texts))
        self.postings = Postings(kept["keys"], kept["places"])
        self.rarity = Rarity(kept["words"], kept["counts"])
        # Each signature of a text once: a text that repeats itself would else be compared with
        # another in the square of its length.
        distinct = _distinct(texts)
        self.windows = MinHashIndex(texts.signatures[distinct], bands=BANDS, rows=ROWS)
        self._window_row = texts.window_row[distinct]
        self._window_start = texts.window_start[distinct]

    def words(self, row: int) -> NDArray[np.uint32]:
        """The words of a stored row."""
        return self.texts.words[self.texts.offsets[row] : self.texts.offsets[row + 1]]

    def find(self, query: Texts, min_jaccard: float) -> Found:
        """Where one text may agree with stored ones."""
        boxes, spread = self._by_grams(query)
        jaccard: dict[int, float] = {}
        kept = _distinct(query)
        hits = self.windows.above(query.signatures[kept], min_jaccard)
        # Of a text that says the same all through, every window is like every other.
        row = self._window_row[hits.entry]
        order = np.lexsort((hits.entry, hits.query, -hits.score, row))
        rank = _ranks(row[order])
        best = order[rank < MOST_WINDOWS]
        for window, entry, score in zip(
            kept[hits.query[best]].tolist(),
            hits.entry[best].tolist(),
            hits.score[best].tolist(),
            strict=True,
        ):
            here = int(self._window_row[entry])
            jaccard[here] = max(score, jaccard.get(here, 0.0))
            start, other = int(query.window_start[window]), int(self._window_start[entry])
            boxes.setdefault(here, []).append(
                Box(
                    start,
                    min(start + WINDOW_WORDS, len(query.words)),
                    other,
                    min(other + WINDOW_WORDS, len(self.words(here))),
                )
            )
        return Found(boxes, jaccard, spread)

    def _by_grams(self, query: Texts) -> tuple[dict[int, list[Box]], NDArray[np.int64]]:
        grams = query_grams(query)
        few, often = _first_occurrences(grams.keys)
        keys, places = grams.keys[few], grams.places[few]
        first, last = self.postings.ranges(keys)
        hits = self.postings.hits(first, last, most=MOST_PLACES, together=TOGETHER)
        at = places[hits.query]
        row = np.searchsorted(self.texts.offsets, hits.place, "right") - 1
        other = hits.place - self.texts.offsets[row]
        spread = self._spread(hits, row, places, len(query.words))
        for offset in range(GRAM_WORDS):
            np.maximum.at(spread, grams.places + offset, often)
        short = len(query.words) <= SHORT_WORDS
        return self._boxes(at, row, other, 1 if short else COVERED), spread

    def _spread(
        self,
        hits: PostingHits,
        row: NDArray[np.int64],
        places: NDArray[np.int64],
        count: int,
    ) -> NDArray[np.int64]:
        """For each word of the asset, in how many works the k-grams stand that cover it."""
        spread = np.ones(count, np.int64)
        works = int(self.work_of_row.max()) + 1 if len(self.work_of_row) else 1
        pairs = np.unique(hits.query * works + self.work_of_row[row])
        gram, number = np.unique(pairs // works, return_counts=True)
        for offset in range(GRAM_WORDS):
            np.maximum.at(spread, places[gram] + offset, number)
        return spread

    def _boxes(
        self,
        at: NDArray[np.int64],
        row: NDArray[np.int64],
        other: NDArray[np.int64],
        least: int,
    ) -> dict[int, list[Box]]:
        if not len(at):
            return {}
        label = together(row, at, other, GAP)
        order = np.lexsort((at, label))
        label, at, row, other = label[order], at[order], row[order], other[order]
        first = np.flatnonzero(np.concatenate([[True], label[1:] != label[:-1]]))
        step = np.minimum(np.diff(at, append=at[-1] + GRAM_WORDS), GRAM_WORDS)
        step[np.append(first[1:] - 1, len(at) - 1)] = GRAM_WORDS
        covered = np.add.reduceat(step, first)
        lengths = np.diff(self.texts.offsets)[row[first]]
        wanted = np.flatnonzero((covered >= least) | (lengths <= SHORT_WORDS))
        ends = [np.maximum.reduceat(values, first) + GRAM_WORDS for values in (at, other)]
        starts = [np.minimum.reduceat(values, first) for values in (at, other)]
        boxes: dict[int, list[Box]] = {}
        for k in wanted.tolist():
            boxes.setdefault(int(row[first[k]]), []).append(
                Box(int(starts[0][k]), int(ends[0][k]), int(starts[1][k]), int(ends[1][k]))
            )
        return boxes


def together(
    group: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64], gap: int
) -> NDArray[np.int64]:
    """Points put together where no more than `gap` parts them from the next on either axis.

    Points of a group are parted at gaps along x, each part at gaps along y, and so on until nothing
    is parted any more: what stays together fills one stretch on both axes, in whatever order.

    Returns:
        int64 (n,), a number for each point; equal where they stay together.
    """
    label = np.asarray(group, np.int64)
    before = -1
    for number in range(2 * _ROUNDS):
        axis = x if number % 2 == 0 else y
        order = np.lexsort((axis, label))
        sorted_label, sorted_axis = label[order], axis[order]
        breaks = (sorted_label[1:] != sorted_label[:-1]) | (np.diff(sorted_axis) > gap)
        fresh = np.empty(len(label), np.int64)
        fresh[order] = np.concatenate([[0], np.cumsum(breaks)])
        label = fresh
        count = int(breaks.sum()) + 1
        if number and count == before:
            break
        before = count
    return label


def _first_occurrences(
    keys: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the first `REPEATS` of each key, ascending; and how often each place's key
    stands in `keys`.
    """
    order = np.argsort(keys, kind="stable")
    if not len(order):
        return order, np.empty(0, np.int64)
    ordered = keys[order]
    rank = _ranks(ordered)
    first = np.flatnonzero(rank == 0)
    sizes = np.diff(np.append(first, len(ordered)))
    often = np.empty(len(ordered), np.int64)
    often[order] = np.repeat(sizes, sizes)
    return np.sort(order[rank < REPEATS]), often


def _ranks(ordered: NDArray[Any]) -> NDArray[np.int64]:
    """For each of sorted values, how many equal ones stand before it."""
    if not len(ordered):
        return np.empty(0, np.int64)
    first = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    sizes = np.diff(np.append(first, len(ordered)))
    ranks: NDArray[np.int64] = np.arange(len(ordered)) - np.repeat(first, sizes)
    return ranks


def _distinct(texts: Texts) -> NDArray[np.int64]:
    """Windows whose signature no earlier window of the same text has."""
    folded = texts.window_row.astype(np.uint64)
    for column in range(0, texts.signatures.shape[1], 2):
        folded = (folded ^ texts.signatures[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
        folded ^= folded >> np.uint64(29)
    _, kept = np.unique(folded, return_index=True)
    return np.sort(kept)
