"""The elements of a script: headings, cues, dialogue, page furniture, each with its place.

Final Draft and subtitles name their elements. Fountain has rules for them (fountain.io/syntax), and
most screenplays in plain text, PDF and Word keep to the same layout without naming it, so one
reading serves them all. Words of headings, cues and furniture are not compared; where a line could
be either, it stays with what is compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

from pipeline.load.loaded import LoadedScript, Span
from pipeline.load.script.fountain import title_page_end
from pipeline.load.script.lines import Line, lines_of


class Part(IntEnum):
    """What a word is part of; words of `COMPARED` alone are compared."""

    COMPARED = 0
    CUE = 1
    HEADING = 2
    TRANSITION = 3
    FURNITURE = 4


PART: Mapping[str, Part] = {
    "character": Part.CUE,
    "scene heading": Part.HEADING,
    "section": Part.HEADING,
    "transition": Part.TRANSITION,
    "furniture": Part.FURNITURE,
    "title page": Part.FURNITURE,
}
"""Elements that are not compared; of every other name, they are."""

_LAID_OUT = frozenset({"fountain", "txt", "md", "pdf", "docx"})
_TITLED = frozenset({"txt", "md"})
"""Formats that may begin with Fountain's title page without its reader having left it out."""
_NO_BLANK_LINES = frozenset({"pdf", "docx"})
"""Formats read without the blank lines between paragraphs."""

_NAMED = frozenset({"fountain", "fdx", "fadein"})
"""Formats in which the writer can call any text a heading or a cue."""
_LONGEST_RUN = 40
"""Words that headings, cues and the like have at most before something compared follows."""

_HEADING = re.compile(
    r"(?:\d+[A-Z]?[.)]?\s+)?(?:INT|EXT|EST|I/E)(?:\.|\s|/)\S*.*"
    r"|(?:ACT|SCENE)\s+[\w.]+(?:[.,:]?\s+SCENE\s+[\w.]+)?\.?",
    re.IGNORECASE,
)
_ACT = re.compile(r"(?:[^a-z]*[^\w])?(?:ACT|ACTUS|SCENE|SC(?:E|AE|Æ|Œ)NA)(?:[^\w][^a-z]*)?")
"""A line in capitals that names an act or a scene, as old prints have them."""
_LONGEST_ACT = 60
_TRANSITION = re.compile(
    r"[^a-z]*\bTO:|(?:FADE (?:IN|OUT|UP|TO BLACK)|CUT TO BLACK|BLACKOUT)[.:]?|>\s*[^<]*[^<\s]\s*"
)
_FURNITURE = re.compile(
    r"\(?\s*(?:MORE|CONT['’]?D|CONTINUED|CONTINUES)\s*\)?:?(?:\s*\(\d+\))?|[-–—]?\s*\d+[A-Z]?\.?\s*[-–—]?"
    r"|(?:PAGE|Page)\s+\d+(?:\s+(?:OF|of)\s+\d+)?|={3,}"
)
_BEGINS = frozenset("IEASFBCMP(ieas>=-–—'0123456789")
"""How a line can begin that is a heading, a transition or furniture; or it ends in `TO:`."""
_EXTENSION = re.compile(r"\s*\([^()]*\)|\s*\^\s*$|\s*['’]?\(?CONT['’]D\)?\s*$")
_NAME_CHARACTERS = re.compile(r"[^\W\d_]")
_LONGEST_CUE = 40
_NUMBER = re.compile(r"\d+")
_HEADS = 3
"""Pages that must begin or end alike for a line to be a running head."""


class _Sort(NamedTuple):
    """What a line is, and its number in its block."""

    element: str
    number: int
    line: Line


def elements_of(script: LoadedScript) -> tuple[Span, ...]:
    """The content of a script by element, in order, not overlapping.

    Returns:
        Spans whose `element` is one of `scene heading`, `action`, `character`, `parenthetical`,
        `dialogue`, `lyrics`, `transition`, `section`, `furniture`, `title page`, or the format's
        own name. They cover every word of the script's spans.
    """
    if script.format not in _LAID_OUT:
        return script.spans
    fountain = script.format == "fountain"
    running = _running_heads(script) if script.pages else frozenset()
    return tuple(
        element
        for span in _blocks(script)
        for element in _merged(_sorted(script, span, running), script.text, fountain=fountain)
    )


def laid_open(sizes: Sequence[tuple[Part, int]], script_format: str) -> list[Part]:
    """The part of each element, as (part, words) in order; where more words in a row are called
    headings, cues and the like than a script has, they are compared, whatever they are called.
    """
    parts = [part for part, _ in sizes]
    if script_format not in _NAMED:
        return parts
    start = 0
    for compared, group in groupby(sizes, lambda one: one[0] is Part.COMPARED):
        run = list(group)
        if not compared and sum(words for _, words in run) > _LONGEST_RUN:
            parts[start : start + len(run)] = [Part.COMPARED] * len(run)
        start += len(run)
    return parts


def _running_heads(script: LoadedScript) -> frozenset[str]:
    """The first and last lines of pages that stand, but for their numbers, on many of them."""
    met: Counter[str] = Counter()
    for span in script.spans:
        lines = script.text[span.start : span.end].split("\n")
        met.update({_unnumbered(lines[0]), _unnumbered(lines[-1])})
    least = max(_HEADS, len(script.spans) // 3)
    return frozenset(line for line, count in met.items() if count >= least)


def _unnumbered(line: str) -> str:
    return _NUMBER.sub("#", line.strip())


def _blocks(script: LoadedScript) -> Iterator[Span]:
    """The script's spans; paragraphs of one kind that follow each other are read together."""
    if script.format != "docx" or not script.spans:
        yield from script.spans
        return
    yield Span(script.spans[0].start, script.spans[-1].end)


def _sorted(
    script: LoadedScript, span: Span, running: frozenset[str] = frozenset()
) -> Iterator[_Sort]:
    start = span.start
    if start == 0 and script.format in _TITLED and (titles := title_page_end(script.text)):
        yield _Sort("title page", -1, Line(0, titles, script.text[:titles]))
        start = titles
    lines = list(lines_of(script.text, start, span.end))
    bare = [line.text.strip() for line in lines]
    loose = script.format in _NO_BLANK_LINES
    fountain = script.format == "fountain"
    spoken = False
    for place, (line, words) in enumerate(zip(lines, bare, strict=True)):
        if not words:
            spoken = False
            continue
        after_blank = place == 0 or not bare[place - 1]
        following = bare[place + 1] if place + 1 < len(bare) else ""
        element = _fixed(words, fountain=fountain)
        if running and place in (0, len(lines) - 1) and _unnumbered(words) in running:
            element = "furniture"
        if element == "transition" and not (after_blank or loose):
            element = None
        if element is None and (after_blank or loose) and _is_cue(words, following, fountain):
            element, spoken = "character", True
        elif element is None and spoken:
            element = "parenthetical" if words[0] == "(" and words[-1] == ")" else "dialogue"
            element = "lyrics" if fountain and words[0] == "~" else element
        elif element is None:
            element = "lyrics" if fountain and words[0] == "~" else "action"
        elif element in ("scene heading", "transition", "section"):
            spoken = False
        yield _Sort(element, place, line)


def _fixed(words: str, *, fountain: bool) -> str | None:
    """What a line is by itself, wherever it stands; None if that depends on its neighbours."""
    if fountain and words[0] == "!":
        return "action"
    if fountain and re.match(r"\.[^\W_]", words):
        return "scene heading"
    if fountain and words[0] == "#":
        return "section"
    if len(words) <= _LONGEST_ACT and _ACT.fullmatch(words):
        return "scene heading"
    if len(words) > 120 or not (words[0] in _BEGINS or words.endswith("TO:")):
        return None
    if _FURNITURE.fullmatch(words):
        return "furniture"
    if _HEADING.fullmatch(words) and not words.endswith(("!", "?", ",", ";")):
        return "scene heading"
    if words[0] == ">" and not fountain:
        return None
    return "transition" if _TRANSITION.fullmatch(words) else None


def _is_cue(words: str, following: str, fountain: bool) -> bool:
    """Whether a line names who speaks next.

    It stands above a line that is not in capitals as well: where everything is, nothing can be
    told from it.
    """
    if not following or len(words) > _LONGEST_CUE + 20:
        return False
    if fountain and words[0] == "@":
        return True
    name = _EXTENSION.sub("", words)
    return (
        0 < len(name) <= _LONGEST_CUE
        and name.upper() == name
        and name.lower() != name
        and len(name.split()) <= 5
        and name[-1] not in "!?,;:–—-"
        and not (name[-1] == "." and len(name.split()) > 2)
        and _NAME_CHARACTERS.search(name) is not None
        and (following[0] == "(" or following.upper() != following)
    )


def _merged(sorts: Iterable[_Sort], text: str, *, fountain: bool) -> Iterator[Span]:
    """One span for lines of one element that follow each other without a blank one between."""
    start = end = 0
    element, before = "", -1
    for sort in sorts:
        if sort.element == element and sort.number == before + 1:
            end, before = sort.line.end, sort.number
            continue
        if element:
            yield _bare(text, start, end, element, fountain=fountain)
        start, end = sort.line.start, sort.line.end
        element, before = sort.element, sort.number
    if element:
        yield _bare(text, start, end, element, fountain=fountain)


_MARKS: Mapping[str, str] = {
    "scene heading": ".",
    "character": "@",
    "transition": ">",
    "section": "#",
    "lyrics": "~",
    "action": "!",
}
"""Fountain's marks before an element, which are no part of it."""


def _bare(text: str, start: int, end: int, element: str, *, fountain: bool) -> Span:
    """The span without white space around it and without Fountain's marks."""
    mark = _MARKS.get(element, "") if fountain else ""
    words = text[start:end].rstrip()
    if fountain and element == "scene heading" and words.endswith("#"):
        # Found from the end: a pattern would look for it at every blank of a long line.
        number = words.rfind("#", 0, -1)
        if number >= 0 and "\n" not in words[number:]:
            words = words[:number]
    elif fountain and element == "character":
        words = words.removesuffix("^")
    end = start + len(words.rstrip())
    while start < end - 1 and (text[start].isspace() or (mark and text[start] == mark)):
        start += 1
    return Span(start, end, element)
