"""Disguises of the passage benchmark: what is done to a lifted passage so that it is not found.

A `Tracked` text knows, character by character, which planted piece it belongs to and where in the
work it was taken from, so that the truth is kept through every disguise. Every disguise takes the
tracked passage and a numpy Generator; the same arguments give the same characters. Disguises of the
layout are in `passage_layout`, of the file's format in `passage_formats`.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.passage_texts import Text, cue_length, plain_words

HOST = -1
"""The piece, and the origin, of characters that were not lifted."""

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
LEAST_PIECE = 15
"""Words of the least piece that a reordered passage is cut into."""
FREQUENT = 150
"""The most frequent words are exchanged for each other, all others likewise."""

NAMES = (
    "Aurel", "Belisa", "Cosmo", "Dagny", "Edwin", "Fiametta", "Gaspard", "Hedda", "Ivor", "Jutta",
    "Kasimir", "Livia", "Mortimer", "Nadja", "Orlanda", "Piers", "Quirin", "Rosamund", "Sverre",
    "Thekla", "Ulric", "Vesna", "Wendel", "Xenia", "Yorick", "Zdenka", "Anselm", "Brigid", "Corin",
    "Delphine", "Emeric", "Frieda", "Gideon", "Honora", "Isidor", "Jocasta", "Kilian", "Leontes",
    "Maris", "Nikolaus", "Ottilie", "Perrin", "Ragna", "Silvan", "Tamsin", "Urban", "Valeska",
    "Wolfram", "Ysolde", "Zacharie",
)  # fmt: skip

LOOKALIKES = {
    "a": "а", "c": "с", "e": "е", "o": "оο", "p": "рρ", "x": "х", "y": "у", "i": "і", "j": "ј",
    "s": "ѕ", "v": "ν", "A": "АΑ", "B": "ВΒ", "C": "С", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "J": "Ј",
    "K": "КΚ", "M": "МΜ", "N": "Ν", "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "Υ",
    "Z": "Ζ",
}  # fmt: skip
"""Latin letters and the Cyrillic and Greek ones that look like them (Unicode TR39)."""

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e"


@dataclass(frozen=True)
class Tracked:
    """A text of which each character knows its origin.

    Attributes:
        text: the characters.
        origin: for each, its place in the work it was lifted from, `HOST` if it is new.
        piece: for each, the planted piece that it belongs to, `HOST` outside of all.
    """

    text: str
    origin: tuple[int, ...]
    piece: tuple[int, ...]

    @classmethod
    def host(cls, text: str) -> Tracked:
        """A text that was lifted from nowhere."""
        return cls(text, (HOST,) * len(text), (HOST,) * len(text))

    @classmethod
    def lifted(cls, text: str, start: int, end: int, piece: int) -> Tracked:
        """The characters `start` to `end` of a work's text."""
        return cls(text[start:end], tuple(range(start, end)), (piece,) * (end - start))

    @classmethod
    def joined(cls, parts: Iterable[Tracked]) -> Tracked:
        """One after the other."""
        listed = list(parts)
        return cls(
            "".join(part.text for part in listed),
            tuple(place for part in listed for place in part.origin),
            tuple(piece for part in listed for piece in part.piece),
        )

    def cut(self, start: int, end: int) -> Tracked:
        """The characters `start` to `end`."""
        return Tracked(self.text[start:end], self.origin[start:end], self.piece[start:end])

    def as_piece(self, piece: int) -> Tracked:
        """The same, as another piece."""
        return Tracked(self.text, self.origin, (piece,) * len(self.text))

    def replaced(self, edits: Iterable[tuple[int, int, str]]) -> Tracked:
        """With each stretch (start, end) put in another form, stretches in any order.

        A form of the same length keeps each character's origin; of another, the new characters
        have none, but are of the piece in which they stand.

        Raises:
            ValueError: if stretches overlap.
        """
        parts: list[Tracked] = []
        place = 0
        for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
            if start < place or end < start:
                raise ValueError("edits overlap")
            parts.append(self.cut(place, start))
            same = end - start == len(new)
            origin = self.origin[start:end] if same else (HOST,) * len(new)
            piece = self.piece[start:end] if same else (self._piece_at(start, end),) * len(new)
            parts.append(Tracked(new, origin, piece))
            place = end
        parts.append(self.cut(place, len(self.text)))
        return Tracked.joined(parts)

    def _piece_at(self, start: int, end: int) -> int:
        """Of a stretch within one piece that piece; of an insertion the one on both its sides."""
        if start < end:
            first, last = self.piece[start], self.piece[end - 1]
        else:
            first = self.piece[start - 1] if start else HOST
            last = self.piece[end] if end < len(self.piece) else HOST
        return first if first == last else HOST

    def place_of(self, piece: int) -> tuple[int, int]:
        """Where a piece begins and ends."""
        first = self.piece.index(piece)
        return first, len(self.piece) - self.piece[::-1].index(piece)

    def source_of(self, piece: int) -> tuple[int, int]:
        """Between which characters of the work a piece was lifted, as far as any are left."""
        own = [o for o, p in zip(self.origin, self.piece, strict=True) if p == piece and o >= 0]
        return min(own), max(own) + 1


@dataclass(frozen=True)
class Surroundings:
    """Material for disguises.

    Attributes:
        cast: names of the work's cast, as its cues have them, and what each is renamed to.
        proper: the words by which the cast is called in speeches, likewise.
        frequent, other: words of texts of the same class, by how often they occur.
    """

    cast: Mapping[str, str]
    proper: Mapping[str, str]
    frequent: Sequence[str]
    other: Sequence[str]


Disguise = Callable[[Tracked, np.random.Generator, Surroundings], Tracked]


def surroundings_of(work: Text, texts: Sequence[Text], rng: np.random.Generator) -> Surroundings:
    """What a passage of `work` is disguised with: its cast, renamed, and the words of `texts`."""
    cues = Counter(work.text[b.start : b.body].strip().rstrip(".") for b in work.blocks if b.spoken)
    names = [name for name, count in cues.most_common() if count > 1]
    lower = set(re.findall(r"\b[a-zà-ÿ]+\b", work.text))
    fresh = [name for name in rng.permutation(NAMES).tolist() if name not in work.text]
    renamed: dict[str, str] = {}
    proper: dict[str, str] = {}
    for place, name in enumerate(names):
        # A large cast has second names too.
        new = fresh[place % len(fresh)] + (
            f" {fresh[(place // len(fresh) + place) % len(fresh)]}" if place >= len(fresh) else ""
        )
        renamed[name] = new.upper()
        for word in name.split():
            if len(word) > 2 and word.lower() not in lower:
                proper.setdefault(word.capitalize(), new)
    frequent, other = _vocabulary(tuple(texts))
    return Surroundings(renamed, proper, frequent, other)


@lru_cache(maxsize=4)
def _vocabulary(texts: tuple[Text, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    counts = Counter(word for text in texts for word in plain_words(text.text))
    ranked = [word for word, _ in counts.most_common()]
    often = set(ranked[:FREQUENT])
    # Each occurrence is one entry, so that a draw among entries follows the texts' frequencies;
    # of the frequent ones each is one entry, or half of all edits would be "the".
    other = tuple(word for word in sorted(counts.elements()) if word not in often)
    return tuple(ranked[:FREQUENT]), other[:: max(1, len(other) // 100_000)]


def verbatim(passage: Tracked, _rng: np.random.Generator, _around: Surroundings) -> Tracked:
    """As it is."""
    return passage


def names_swapped(passage: Tracked, _rng: np.random.Generator, around: Surroundings) -> Tracked:
    """The work's cast renamed, the same name always to the same, in cues and in speeches."""
    edits = []
    place = 0
    for line in passage.text.splitlines(keepends=True):
        name = line.strip().rstrip(".")
        if name in around.cast:
            start = place + line.index(name)
            edits.append((start, start + len(name), around.cast[name]))
        else:
            for match in re.finditer(r"[^\W\d_]+", line):
                new = around.proper.get(match.group())
                if new is not None:
                    edits.append((place + match.start(), place + match.end(), new))
        place += len(line)
    return passage.replaced(edits)


def lookalike_letters(passage: Tracked, rng: np.random.Generator, _around: Surroundings) -> Tracked:
    """A third of the letters that have a Cyrillic or Greek double, as that double."""
    edits = []
    for place, letter in enumerate(passage.text):
        doubles = LOOKALIKES.get(letter)
        if doubles and rng.random() < 0.35:
            edits.append((place, place + 1, doubles[int(rng.integers(len(doubles)))]))
    return passage.replaced(edits)


def fullwidth(passage: Tracked, rng: np.random.Generator, _around: Surroundings) -> Tracked:
    """Half of the words in fullwidth letters."""
    edits = []
    for match in WORD.finditer(passage.text):
        if rng.random() < 0.5:
            wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in match.group())
            edits.append((match.start(), match.end(), wide))
    return passage.replaced(edits)


def invisible_characters(
    passage: Tracked, rng: np.random.Generator, _around: Surroundings
) -> Tracked:
    """Zero-width characters, soft hyphens and marks of direction inside half of the words."""
    edits = []
    for match in WORD.finditer(passage.text):
        if len(match.group()) > 1 and rng.random() < 0.5:
            place = match.start() + int(rng.integers(1, len(match.group())))
            edits.append((place, place, INVISIBLE[int(rng.integers(len(INVISIBLE)))]))
    return passage.replaced(edits)


_MARKS = {
    ",": ("", ";"), ";": (",", "."), ":": (",", " -"), ".": ("!", ""), "!": (".", ""), "?": ("?!",),
    "—": (" -- ", ", "), "–": (" - ",), "’": ("'", "`"), "'": ("’",), "“": ('"', "«"),
    "”": ('"', "»"), '"': ("“",), "-": ("–",), "…": ("...",),
}  # fmt: skip


def case_and_punctuation(
    passage: Tracked, rng: np.random.Generator, _around: Surroundings
) -> Tracked:
    """All in capitals, in small letters or with every word capitalised; marks exchanged."""
    form = (str.upper, str.lower, str.capitalize)[int(rng.integers(3))]
    edits = []
    for match in re.finditer(r"[^\W_]+", passage.text):
        edits.append((match.start(), match.end(), form(match.group())))
    for place, mark in enumerate(passage.text):
        if mark in _MARKS and rng.random() < 0.7:
            forms = _MARKS[mark]
            edits.append((place, place + 1, forms[int(rng.integers(len(forms)))]))
    return passage.replaced(edits)


def edited(share: float) -> Disguise:
    """A share of the words changed: three in five exchanged, one left out, one put in."""

    def change(passage: Tracked, rng: np.random.Generator, around: Surroundings) -> Tracked:
        often = set(around.frequent)
        words = [m for m in WORD.finditer(passage.text) if not _in_cue(passage.text, m.start())]
        chosen = rng.permutation(len(words))[: round(share * len(words))]
        edits = []
        for place in chosen.tolist():
            word = words[place]
            plain = word.group().casefold()
            kind = rng.random()
            drawn = around.frequent if plain in often else around.other
            new = drawn[int(rng.integers(len(drawn)))]
            while new == plain:
                new = drawn[int(rng.integers(len(drawn)))]
            if kind < 0.6:
                new = new.capitalize() if word.group()[0].isupper() else new
                edits.append((word.start(), word.end(), new))
            elif kind < 0.8:
                after = word.end() < len(passage.text) and passage.text[word.end()] == " "
                edits.append((word.start(), word.end() + after, ""))
            else:
                edits.append((word.end(), word.end(), f" {new}"))
        return passage.replaced(edits)

    return change


def several_at_once(passage: Tracked, rng: np.random.Generator, around: Surroundings) -> Tracked:
    """Names swapped, a tenth of the words edited, marks and case changed, letters exchanged."""
    for one in (names_swapped, edited(0.1), case_and_punctuation, lookalike_letters):
        passage = one(passage, rng, around)
    return passage


def _in_cue(text: str, place: int) -> bool:
    start = text.rfind("\n", 0, place) + 1
    if start and not text[: start - 1].endswith("\n"):
        return False  # not the first line of its block
    return place < start + cue_length(text[start:].split("\n\n", 1)[0])


def reordered(passage: Tracked, rng: np.random.Generator, _around: Surroundings) -> Tracked:
    """Its speeches in another order, none after the one that it followed; each is a piece.

    A passage of fewer than three speeches is cut between lines. Pieces have `LEAST_PIECE` words.
    """
    parts = _parts(passage, "\n\n") or _parts(passage, "\n")
    if len(parts) < 2:
        return passage
    order = list(range(len(parts)))
    for _ in range(200):
        order = rng.permutation(len(parts)).tolist()
        if all(b != a + 1 for a, b in itertools.pairwise(order)):
            break
    first = passage.piece[0]
    gap = Tracked.host("\n\n")
    joined: list[Tracked] = []
    for place in order:
        joined += [gap, parts[place].as_piece(first + place)]
    return Tracked.joined(joined[1:])


def _parts(passage: Tracked, parted_by: str) -> list[Tracked]:
    """The passage cut at `parted_by` into pieces of enough words; none if those are too few."""
    cuts, start = [], 0
    for match in re.finditer(parted_by, passage.text):
        words = len(WORD.findall(passage.text[start : match.start()]))
        if words >= LEAST_PIECE:
            cuts.append((start, match.start()))
            start = match.end()
    cuts.append((start, len(passage.text)))
    if len(WORD.findall(passage.text[start:])) < LEAST_PIECE and len(cuts) > 1:
        (before, _), (_, end) = cuts[-2:]
        cuts[-2:] = [(before, end)]
    if len(cuts) < (3 if parted_by == "\n\n" else 2):
        return []
    return [passage.cut(*cut) for cut in cuts]
