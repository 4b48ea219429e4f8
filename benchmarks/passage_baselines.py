"""Baselines of the passage benchmark: datasketch's MinHash over whole files and over windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.passage_disguises import WORD
from benchmarks.plagdet import Pair

PERMUTATIONS = 128
SHINGLE_WORDS = 3
WINDOW_WORDS, STRIDE_WORDS = 100, 50
WHOLE_THRESHOLD = 0.5
WINDOW_THRESHOLD = 0.1
"""Estimated Jaccard similarity from which two windows are reported."""
MERGED = "datasketch, 100-word windows, merged"


def _minhash(words: Sequence[str]) -> Any:
    from datasketch import MinHash

    sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
    sketch.update_batch(
        [
            " ".join(words[place : place + SHINGLE_WORDS]).encode()
            for place in range(max(1, len(words) - SHINGLE_WORDS + 1))
        ]
    )
    return sketch


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(m.group().casefold(), m.start(), m.end()) for m in WORD.finditer(text)]


def whole_files(scripts: Mapping[str, str], works: Mapping[str, str]) -> list[Pair]:
    """Files reported as a whole, by `MinHashLSH` of their 3-word shingles."""
    from datasketch import MinHashLSH

    lsh = MinHashLSH(threshold=WHOLE_THRESHOLD, num_perm=PERMUTATIONS)
    for name, text in works.items():
        lsh.insert(name, _minhash([word for word, _, _ in _words(text)]))
    return [
        Pair(script, 0, len(text), work, 0, len(works[work]))
        for script, text in scripts.items()
        for work in sorted(lsh.query(_minhash([word for word, _, _ in _words(text)])))
    ]


def _windows(text: str) -> Iterator[tuple[int, int, Any]]:
    """Start, end and sketch of each window."""
    words = _words(text)
    last = max(0, len(words) - WINDOW_WORDS)
    for first in sorted({*range(0, last, STRIDE_WORDS), last}):
        window = words[first : first + WINDOW_WORDS]
        if window:
            yield window[0][1], window[-1][2], _minhash([word for word, _, _ in window])


def windows(scripts: Mapping[str, str], works: Mapping[str, str]) -> list[Pair]:
    """Pairs of windows of 100 words that are alike, each reported by itself."""
    from datasketch import MinHashLSH

    lsh = MinHashLSH(threshold=WINDOW_THRESHOLD, num_perm=PERMUTATIONS)
    stored: dict[tuple[str, int, int], Any] = {}
    for name, text in works.items():
        for start, end, sketch in _windows(text):
            stored[name, start, end] = sketch
            lsh.insert((name, start, end), sketch)
    pairs = []
    for script, text in scripts.items():
        for start, end, sketch in _windows(text):
            for key in sorted(lsh.query(sketch)):
                if sketch.jaccard(stored[key]) >= WINDOW_THRESHOLD:
                    pairs.append(Pair(script, start, end, *key))
    return pairs


def merged(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of one script and one work that meet on both sides, as one."""
    by_texts: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        by_texts.setdefault((pair.script, pair.work), []).append(pair)
    merged_pairs = []
    for group in by_texts.values():
        disjoint: list[Pair] = []
        for pair in sorted(group, key=lambda one: (one.start, one.work_start)):
            one = pair
            # What the larger one now meets may be several.
            while near := [other for other in disjoint if one.overlaps(other)]:
                disjoint = [other for other in disjoint if other not in near]
                several = [one, *near]
                one = Pair(
                    one.script,
                    min(p.start for p in several),
                    max(p.end for p in several),
                    one.work,
                    min(p.work_start for p in several),
                    max(p.work_end for p in several),
                )
            disjoint.append(one)
        merged_pairs += disjoint
    return merged_pairs


def baselines(scripts: Mapping[str, str], works: Mapping[str, str]) -> dict[str, list[Pair]]:
    """What each baseline reports, by its name."""
    alike = windows(scripts, works)
    return {
        "datasketch, whole files": whole_files(scripts, works),
        "datasketch, 100-word windows": alike,
        MERGED: merged(alike),
    }
