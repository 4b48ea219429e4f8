"""Finding works by words in their titles, rightsholders, ids and paths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reference_index.interface import Work, WorkFile

_WEIGHTS = {"work_id": 4.0, "title": 4.0, "former_id": 3.0, "rightsholder": 3.0, "path": 2.0}
"""By field, what a whole word in it counts. The beginning of a word counts three quarters of that,
and a word's middle half; a field that is the word and nothing else counts double."""

_WORD = re.compile(r"\w+")
# Letters with a stroke or two in one, which no normalisation form takes apart.
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})


@dataclass(frozen=True, slots=True)
class FoundWork:
    """A work in which all words were found.

    Attributes:
        work: the work.
        score: higher is better.
        fields: where words were found: `work_id`, `title`, `former_id`, `rightsholder`, `path`.
        paths: its files whose paths have words that are in none of the other fields.
    """

    work: Work
    score: float
    fields: tuple[str, ...]
    paths: tuple[str, ...]


def find_works(
    words: Sequence[str],
    works: Iterable[Work],
    files: Iterable[WorkFile],
    aliases: Mapping[str, str],
) -> list[FoundWork]:
    """The works that have every one of the words somewhere, best first, then by id.

    Letter case and accents are ignored. A word may be a part of one.

    Args:
        words: to find.
        works, files: of the index.
        aliases: by former id of a work, its present id.
    """
    wanted = [_folded(word) for word in words if word.strip()]
    paths: dict[str, list[str]] = {}
    for file in files:
        paths.setdefault(file.work_id, []).append(file.path)
    former: dict[str, list[str]] = {}
    for old, new in aliases.items():
        former.setdefault(new, []).append(old)
    found = []
    for work in works:
        texts = {
            "work_id": [work.work_id],
            "title": [work.title],
            "former_id": former.get(work.work_id, []),
            "rightsholder": [work.rightsholder],
            "path": paths.get(work.work_id, []),
        }
        one = _matched(work, wanted, texts)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda one: (-one.score, one.work.work_id))


def _matched(
    work: Work, wanted: Sequence[str], texts: Mapping[str, Sequence[str]]
) -> FoundWork | None:
    folded = {name: [_folded(text) for text in several] for name, several in texts.items()}
    score, fields, only_in_paths = 0.0, dict.fromkeys(texts, False), []
    for word in wanted:
        scores = {
            name: max((_score(word, text) for text in several), default=0.0) * _WEIGHTS[name]
            for name, several in folded.items()
        }
        best = max(scores.values())
        if not best:
            return None
        score += best
        for name, value in scores.items():
            fields[name] = fields[name] or value > 0
        if not any(value for name, value in scores.items() if name != "path"):
            only_in_paths.append(word)
    paths = tuple(
        path
        for path, text in zip(texts["path"], folded["path"], strict=True)
        if any(word in text for word in only_in_paths)
    )
    return FoundWork(work, score, tuple(name for name, has in fields.items() if has), paths)


def _score(word: str, text: str) -> float:
    if word not in text:
        return 0.0
    if word == text:
        return 2.0
    parts = _WORD.findall(text)
    if word in parts:
        return 1.0
    return 0.75 if any(part.startswith(word) for part in parts) else 0.5


def _folded(text: str) -> str:
    """`text` without letter case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return unicodedata.normalize("NFKC", bare.translate(_LETTERS))
