"""Words that are names: a scene whose cast was renamed is found with them masked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.text.elements import Part
from pipeline.stages.text.words import Words

_MOST_CAPITALS = 0.5
"""Share of capitalised words from which on a capital says nothing."""


def name_marks(text: str, words: Words) -> NDArray[np.bool_]:
    """Which words are names: those of cues, and those with a capital inside a sentence, if the
    text has them nowhere without one.

    Returns:
        bool (n,), for each of `words`.
    """
    starts = words.start.tolist()
    hashes = words.hashes
    capital = np.fromiter((text[s].isupper() for s in starts), np.bool_, len(starts))
    cue: NDArray[np.bool_] = words.part == Part.CUE
    if not len(starts):
        return cue
    lower = np.unique(hashes[~capital & ~cue])
    known = [hashes[cue]]
    if capital.mean() <= _MOST_CAPITALS:
        inside = [
            place
            for place in np.flatnonzero(capital).tolist()
            if _inside_sentence(text, starts[place])
        ]
        known.append(hashes[inside])
    names = np.setdiff1d(np.concatenate(known), lower)
    return np.isin(hashes, names)


def _inside_sentence(text: str, start: int) -> bool:
    """Whether a word with a small second letter follows a word or a comma on its line."""
    return (
        start >= 2
        and text[start - 1] == " "
        and (text[start - 2].isalpha() or text[start - 2] == ",")
        and text[start + 1 : start + 2].islower()
    )
