"""Scripts of the passage benchmark: hosts from distractors, with lifted passages in them.

Each script carries passages of one length under one disguise, so that true and false
reports in it count for that length and that disguise. No host shares by nature what a passage
could be: a host, or a passage, that holds a run of `NATURAL_RUN` words of a registered work is
drawn again.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchmarks.passage_disguises import (
    Disguise,
    Surroundings,
    Tracked,
    case_and_punctuation,
    edited,
    fullwidth,
    invisible_characters,
    lookalike_letters,
    names_swapped,
    reordered,
    several_at_once,
    surroundings_of,
    verbatim,
)
from benchmarks.passage_layout import hyphenated, re_flowed
from benchmarks.passage_texts import Block, Side, Text, drawn, run_hashes

LENGTHS = (15, 25, 40, 80, 200, 500, 1500)
"""Words of a passage; those of cues don't count."""
LINES_AT_MOST = 40
"""A passage up to this long is put among the lines of a speech, a longer one between speeches."""
LEAST_REORDERED = 80
HOST_WORDS = 4000
NATURAL_RUN = 12
ATTEMPTS = 400
SPREAD = 4
"""Times as many places as passages that a host should offer."""


@dataclass(frozen=True)
class Way:
    """One way of hiding a passage.

    Attributes:
        disguise: of the passage.
        layout: of the whole script, if that is set anew.
        suffix: of the script's file, which says its format.
        least: words of the shortest passage it can be tried on.
        obfuscates: whether characters are disguised, which should itself be reported.
        names: whether the passage must have a name of the cast in it.
        utf16: whether the file is in UTF-16, with lines that end in CR LF.
    """

    disguise: Disguise = verbatim
    layout: Callable[[Tracked, np.random.Generator], Tracked] | None = None
    suffix: str = ".txt"
    least: int = 0
    obfuscates: bool = False
    names: bool = False
    utf16: bool = False


WAYS: dict[str, Way] = {
    "verbatim": Way(),
    "re-flowed": Way(layout=re_flowed),
    "names swapped": Way(names_swapped, names=True),
    "look-alike letters": Way(lookalike_letters, obfuscates=True),
    "fullwidth letters": Way(fullwidth, obfuscates=True),
    "invisible characters": Way(invisible_characters, obfuscates=True),
    "case and punctuation": Way(case_and_punctuation),
    "10 % edited": Way(edited(0.1)),
    "20 % edited": Way(edited(0.2)),
    "30 % edited": Way(edited(0.3)),
    "speeches reordered": Way(reordered, least=LEAST_REORDERED),
    "line-end hyphens": Way(layout=hyphenated),
    "several at once": Way(several_at_once, re_flowed, obfuscates=True),
    "as UTF-16 with CRLF": Way(utf16=True),
    "as .fountain": Way(suffix=".fountain"),
    "as .fdx": Way(suffix=".fdx"),
    "as .docx": Way(suffix=".docx"),
    "as .srt": Way(suffix=".srt"),
    "as .pdf": Way(suffix=".pdf"),
}


@dataclass(frozen=True)
class Planted:
    """One passage and where it was put.

    Attributes:
        work: that it was lifted from.
        start, end: in the work's text, in characters.
        pieces: its pieces in the script; several if its speeches were reordered.
    """

    work: Text
    start: int
    end: int
    pieces: tuple[int, ...]


@dataclass(frozen=True)
class Script:
    """One script to be screened.

    Attributes:
        name: of its file, without suffix; says nothing of what it holds.
        way: a name of `WAYS`, "clean" for one without planted passages.
        length: words of each of its passages, 0 if it has none.
        tracked: its characters, before they are written in the file's format.
        planted: its passages.
        host: the text that it was cut from.
    """

    name: str
    way: str
    length: int
    tracked: Tracked
    planted: tuple[Planted, ...]
    host: Text

    @property
    def suffix(self) -> str:
        """Of its file."""
        return WAYS[self.way].suffix if self.way in WAYS else ".txt"


class Planter:
    """Draws scripts of one side; `refused` counts what was drawn again, by what it was."""

    def __init__(self, side: Side, seed: int, host_words: int = HOST_WORDS) -> None:
        self.side, self.seed, self.host_words = side, seed, host_words
        self.refused: Counter[str] = Counter()

    @cached_property
    def _runs(self) -> Counter[int]:
        """How often each run of `NATURAL_RUN` words occurs in the registered works."""
        counts: Counter[int] = Counter()
        for work in self.side.works:
            counts.update(run_hashes(work.text, NATURAL_RUN))
        return counts

    @cached_property
    def _around(self) -> dict[str, Surroundings]:
        texts = (*self.side.works, *self.side.distractors)
        return {
            work.key: surroundings_of(
                work, texts, np.random.default_rng(drawn(self.seed, "cast", work.key))
            )
            for work in self.side.works
        }

    def scripts(self, ways: Sequence[str], lengths: Sequence[int], each: int) -> list[Script]:
        """A script with `each` passages for every way and length that go together."""
        scripts = [
            self._script(way, length, each)
            for way in ways
            for length in lengths
            if length >= WAYS[way].least
        ]
        scripts.sort(key=lambda script: drawn(self.seed, "order", f"{script.way} {script.length}"))
        return [replace(script, name=f"s{place:04d}") for place, script in enumerate(scripts)]

    def clean(self, count: int) -> list[Script]:
        """Scripts of distractors only."""
        scripts = []
        for place in range(count):
            rng = np.random.default_rng(drawn(self.seed, "clean", str(place)))
            host, blocks = self._host(rng)
            text = host.text[blocks[0].start : blocks[-1].end] + "\n"
            scripts.append(Script(f"c{place:04d}", "clean", 0, Tracked.host(text), (), host))
        return scripts

    def _host(self, rng: np.random.Generator) -> tuple[Text, Sequence[Block]]:
        """Consecutive blocks of a distractor with the number of words of a host."""
        for _ in range(ATTEMPTS):
            text = self.side.distractors[int(rng.integers(len(self.side.distractors)))]
            ends = [int(np.searchsorted(text.words[:, 0], block.end)) for block in text.blocks]
            wanted = min(self.host_words, ends[-1])
            fits = sum(end <= ends[-1] - wanted for end in ends)
            first = int(rng.integers(fits + 1))
            before = ends[first - 1] if first else 0
            last = int(np.searchsorted(ends, before + wanted))
            blocks = text.blocks[first : last + 1]
            stretch = text.text[blocks[0].start : blocks[-1].end]
            if not any(run in self._runs for run in run_hashes(stretch, NATURAL_RUN)):
                return text, blocks
            self.refused["hosts"] += 1
        raise SystemExit(
            "Every stretch of the distractors shares text with registered works; name folders "
            "with other texts."
        )

    def _script(self, way: str, length: int, each: int) -> Script:
        rng = np.random.default_rng(drawn(self.seed, "script", f"{way} {length}"))
        host, blocks = self._host(rng)
        places = self._places(rng, blocks, host, each, among_lines=length <= LINES_AT_MOST)
        planted, put = [], {}
        for number, place in enumerate(places):
            work, start, end = self._passage(rng, length, needs_name=WAYS[way].names)
            lifted = Tracked.lifted(work.text, start, end, 10_000 * number)
            hidden = WAYS[way].disguise(lifted, rng, self._around[work.key])
            pieces = tuple(dict.fromkeys(p for p in hidden.piece if p >= 0))
            planted.append(Planted(work, start, end, pieces))
            put[place] = hidden
        parts, before = [], blocks[0].start
        for place in sorted(put):
            gap = "\n" if length <= LINES_AT_MOST else "\n\n"
            parts += [
                Tracked.host(host.text[before:place].rstrip() + gap),
                put[place],
                Tracked.host(gap),
            ]
            before = place + len(host.text[place:]) - len(host.text[place:].lstrip())
        parts.append(Tracked.host(host.text[before : blocks[-1].end] + "\n"))
        tracked = Tracked.joined(parts)
        layout = WAYS[way].layout
        return Script(
            "", way, length, layout(tracked, rng) if layout else tracked, tuple(planted), host
        )

    def _places(
        self,
        rng: np.random.Generator,
        blocks: Sequence[Block],
        host: Text,
        count: int,
        *,
        among_lines: bool,
    ) -> list[int]:
        """Where passages go: ends of blocks, or of lines within speeches, apart from each other."""
        if among_lines:
            ends = [
                block.body + host.text[block.body : block.end].index("\n")
                for block in blocks[1:-1]
                if block.spoken and "\n" in host.text[block.body : block.end]
            ]
        else:
            ends = []
        if len(ends) < count:
            ends = [block.end for block in blocks[:-1]]
        if len(ends) < SPREAD * count:
            # A poem: few blocks, or only one.
            ends = [
                block.start + line.start()
                for block in blocks
                for line in re.finditer("\n", host.text[block.start : block.end])
            ]
        # One from each stretch of the host, so that two passages never touch.
        bounds = np.linspace(0, len(ends), count + 1).astype(int).tolist()
        if len(ends) < count:
            raise SystemExit(f"A host has {len(ends)} lines, too few for {count} passages.")
        return [ends[int(rng.integers(low, high))] for low, high in itertools.pairwise(bounds)]

    def _passage(
        self, rng: np.random.Generator, length: int, *, needs_name: bool
    ) -> tuple[Text, int, int]:
        """A stretch of a registered work: `length` words, its cues not counted.

        A short one is within one speech if any speech is that long; a long one begins with one.
        """
        spare: tuple[Text, int, int] | None = None
        for attempt in range(ATTEMPTS):
            work = self.side.works[int(rng.integers(len(self.side.works)))]
            block = work.blocks[int(rng.integers(len(work.blocks)))]
            span = _stretch(work, block, length, rng, within=length <= LINES_AT_MOST)
            if span is None:
                continue
            text = work.text[span[0] : span[1]]
            if any(self._runs[run] > 1 for run in run_hashes(text, NATURAL_RUN)):
                self.refused["passages"] += 1
                continue
            spare = work, *span
            named = any(name in text for name in self._around[work.key].proper)
            if named or not needs_name or attempt > ATTEMPTS // 2:
                return spare
        if spare is None:
            raise SystemExit(
                f"The registered works have no passage of {length} words that occurs in them once; "
                "name folders with longer texts, or leave out that length."
            )
        return spare


def _stretch(
    work: Text, block: Block, length: int, rng: np.random.Generator, *, within: bool
) -> tuple[int, int] | None:
    """`length` words from `block` on; None if there are not as many.

    `within`: all of them in its speech, from any word on; else from its cue on.
    """
    starts = work.words[:, 0]
    if within:
        first, last = np.searchsorted(starts, [block.body, block.end]).tolist()
        if last - first < length or not block.spoken:
            return None
        place = first + int(rng.integers(last - first - length + 1))
        return int(starts[place]), int(work.words[place + length - 1, 1])
    if not block.spoken:
        return None
    counted, end = 0, 0
    for one in work.blocks[work.blocks.index(block) :]:
        first, last = np.searchsorted(starts, [one.body, one.end]).tolist()
        if counted + last - first >= length:
            end = int(work.words[first + length - counted - 1, 1])
            return block.start, end
        counted += last - first
    return None
