"""The elements of a script: scene headings, cues, dialogue, page furniture, each with its offsets.

Final Draft and subtitles name their elements. Fountain has rules for them (fountain.io/syntax), and
most screenplays in plain text, PDF and Word follow the same layout without naming it, so one parser
reads them all. Words of headings, cues and furniture are not compared; a line that could also be
action or dialogue is compared. `with_scenes` adds the scene and the page of each passage.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from pipeline.core.errors import ScreeningError
from pipeline.core.records import Evidence, Passage, StageOutcome
from pipeline.load.loaded import Line, LoadedScript, Span, lines_of
from pipeline.load.script.fountain import fountain_spans, title_page_end

if TYPE_CHECKING:
    from reference_index.store import ReferenceIndex


class Part(IntEnum):
    """What a word is part of; only words of `COMPARED` are compared. The numbers are stored."""

    COMPARED = 0
    CUE = 1
    HEADING = 2
    TRANSITION = 3
    FURNITURE = 4


PART_OF_ELEMENT: Mapping[str, Part] = {
    "character": Part.CUE,
    "scene heading": Part.HEADING,
    "section": Part.HEADING,
    "transition": Part.TRANSITION,
    "furniture": Part.FURNITURE,
    "title page": Part.FURNITURE,
}
"""Elements that are not compared; all others are."""

_PARSED_FORMATS = frozenset({"fountain", "txt", "md", "pdf", "docx"})
"""Formats whose elements are recognised by layout; the readers of all others name them."""
_TITLED = frozenset({"txt", "md"})
"""Formats that may begin with a Fountain title page, which the reader of `.fountain` leaves out."""
_NO_BLANK_LINES = frozenset({"pdf", "docx"})
"""Formats whose text has no blank lines between paragraphs."""

_NAMED = frozenset({"fountain", "fdx", "fadein"})
"""Formats in which a writer can label any text as a heading or a cue, and so hide it."""
_LONGEST_RUN = 40
"""Most words in a row that are not compared; real headings and cues are followed by action or
dialogue sooner."""

_HEADING = re.compile(
    r"(?:\d+[A-Z]?[.)]?\s+)?(?:INT|EXT|EST|I/E)(?:\.|\s|/)\S*.*"
    r"|(?:ACT|SCENE)\s+[\w.]+(?:[.,:]?\s+SCENE\s+[\w.]+)?\.?",
    re.IGNORECASE,
)
_ACT = re.compile(r"(?:[^a-z]*[^\w])?(?:ACT|ACTUS|SCENE|SC(?:E|AE|Æ|Œ)NA)(?:[^\w][^a-z]*)?")
"""A line in capitals that names an act or a scene, as in old prints."""
_LONGEST_ACT = 60
_TRANSITION = re.compile(
    r"[^a-z]*\bTO:|(?:FADE (?:IN|OUT|UP|TO BLACK)|CUT TO BLACK|BLACKOUT)[.:]?|>\s*[^<]*[^<\s]\s*"
)
_FURNITURE = re.compile(
    r"\(?\s*(?:MORE|CONT['’]?D|CONTINUED|CONTINUES)\s*\)?:?(?:\s*\(\d+\))?|[-–—]?\s*\d+[A-Z]?\.?\s*[-–—]?"
    r"|(?:PAGE|Page)\s+\d+(?:\s+(?:OF|of)\s+\d+)?|={3,}"
)
_BEGINS = frozenset("IEASFBCMP(ieas>=-–—'0123456789")
"""First characters of headings, transitions and furniture, but for transitions that end in `TO:`: a
quick test before the regular expressions."""
_EXTENSION = re.compile(r"\s*\([^()]*\)|\s*\^\s*$|\s*['’]?\(?CONT['’]D\)?\s*$")
_NAME_CHARACTERS = re.compile(r"[^\W\d_]")
_LONGEST_CUE = 40
_NUMBER = re.compile(r"\d+")
_LEAST_PAGES = 3
"""Pages that must begin or end with the same line for it to be a running head."""


class _LineElement(NamedTuple):
    """The element of a line, and the line's number in its block."""

    element: str
    number: int
    line: Line


def elements_of(script: LoadedScript) -> tuple[Span, ...]:
    """The content of a script as elements, in order, not overlapping.

    Returns:
        Spans whose `element` is one of `scene heading`, `action`, `character`, `parenthetical`,
        `dialogue`, `lyrics`, `transition`, `section`, `furniture`, `title page`, or the format's
        own name. They cover every word of the script's spans.
    """
    if script.format not in _PARSED_FORMATS:
        return script.spans
    fountain = script.format == "fountain"
    running = _running_heads(script) if script.pages else frozenset()
    blocks = (_line_elements(script, block, running) for block in _blocks(script))
    return tuple(
        span for block in blocks for span in _merged(block, script.text, fountain=fountain)
    )


def parts_of(sizes: Sequence[tuple[Part, int]], script_format: str) -> list[Part]:
    """The part of each element. A longer run of headings, cues and the like than real scripts have
    is compared after all, so that a passage is not hidden by its labels.

    Args:
        sizes: part and number of words of each element, in order.
        script_format: of the script; only some formats let the writer label elements.
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
    """First and last lines, without numbers, that many pages share."""
    pages_with: Counter[str] = Counter()
    for span in script.spans:
        lines = script.text[span.start : span.end].split("\n")
        pages_with.update({_unnumbered(lines[0]), _unnumbered(lines[-1])})
    least = max(_LEAST_PAGES, len(script.spans) // 3)
    return frozenset(line for line, count in pages_with.items() if count >= least)


def _unnumbered(line: str) -> str:
    return _NUMBER.sub("#", line.strip())


def _blocks(script: LoadedScript) -> Iterator[Span]:
    """What is parsed at a time: each span, but all paragraphs of a Word document together, since
    an element may be several paragraphs.
    """
    if script.format != "docx" or not script.spans:
        yield from script.spans
        return
    yield Span(script.spans[0].start, script.spans[-1].end)


def _line_elements(
    script: LoadedScript, span: Span, running: frozenset[str] = frozenset()
) -> Iterator[_LineElement]:
    start = span.start
    if start == 0 and script.format in _TITLED and (title_end := title_page_end(script.text)):
        yield _LineElement("title page", -1, Line(0, title_end, script.text[:title_end]))
        start = title_end
    lines = list(lines_of(script.text, start, span.end))
    stripped = [line.text.strip() for line in lines]
    no_blank_lines = script.format in _NO_BLANK_LINES
    fountain = script.format == "fountain"
    in_speech = False
    for place, (line, words) in enumerate(zip(lines, stripped, strict=True)):
        if not words:
            in_speech = False
            continue
        starts_paragraph = no_blank_lines or place == 0 or not stripped[place - 1]
        following = stripped[place + 1] if place + 1 < len(stripped) else ""
        element = _element_by_itself(words, fountain=fountain)
        if running and place in (0, len(lines) - 1) and _unnumbered(words) in running:
            element = "furniture"
        if element == "transition" and not starts_paragraph:
            element = None
        if element is None and starts_paragraph and _is_cue(words, following, fountain):
            element, in_speech = "character", True
        elif element is None and in_speech:
            element = "parenthetical" if words[0] == "(" and words[-1] == ")" else "dialogue"
            element = "lyrics" if fountain and words[0] == "~" else element
        elif element is None:
            element = "lyrics" if fountain and words[0] == "~" else "action"
        elif element in ("scene heading", "transition", "section"):
            in_speech = False
        yield _LineElement(element, place, line)


def _element_by_itself(words: str, *, fountain: bool) -> str | None:
    """The element of a line, from its words only; None if it depends on its neighbours."""
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
    """Whether a line is a cue, the name of who speaks next.

    The line after it must not be in capitals: in a text in capitals, capitals say nothing.
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


def _merged(lines: Iterable[_LineElement], text: str, *, fountain: bool) -> Iterator[Span]:
    """One span for consecutive lines of one element."""
    start = end = 0
    element, before = "", -1
    for one in lines:
        if one.element == element and one.number == before + 1:
            end, before = one.line.end, one.number
            continue
        if element:
            yield _without_marks(text, start, end, element, fountain=fountain)
        start, end = one.line.start, one.line.end
        element, before = one.element, one.number
    if element:
        yield _without_marks(text, start, end, element, fountain=fountain)


_MARKS: Mapping[str, str] = {
    "scene heading": ".",
    "character": "@",
    "transition": ">",
    "section": "#",
    "lyrics": "~",
    "action": "!",
}
"""Fountain's marks before an element, which are not part of its text."""


def _without_marks(text: str, start: int, end: int, element: str, *, fountain: bool) -> Span:
    """The span without white space around it and without Fountain's marks."""
    mark = _MARKS.get(element, "") if fountain else ""
    words = text[start:end].rstrip()
    if fountain and element == "scene heading" and words.endswith("#"):
        # A search from the end: a regular expression would try every blank of a long line.
        number = words.rfind("#", 0, -1)
        if number >= 0 and "\n" not in words[number:]:
            words = words[:number]
    elif fountain and element == "character":
        words = words.removesuffix("^")
    end = start + len(words.rstrip())
    while start < end - 1 and (text[start].isspace() or (mark and text[start] == mark)):
        start += 1
    return Span(start, end, element)


_LONGEST_HEADING = 120
_CACHED_WORKS = 32
_PARSED_AS: dict[str, str] = {"fdx": "pdf", "fadein": "pdf"}
"""Formats that name their elements. The index keeps only their lines, so they are parsed by layout,
as text without blank lines."""


class ScriptScenes:
    """Scenes and pages of a script, by offset in characters."""

    def __init__(self, script: LoadedScript) -> None:
        self._text = script.text
        self._scenes = [s for s in elements_of(script) if s.element == "scene heading"]
        self._scene_starts = [span.start for span in self._scenes]
        self._page_starts = [span.start for span in script.spans] if script.pages else []
        self._pages = script.pages

    def scene(self, offset: int) -> str | None:
        """The heading of the scene at `offset`, on one line; None before the first heading."""
        at = bisect_right(self._scene_starts, offset) - 1
        if at < 0:
            return None
        span = self._scenes[at]
        return " ".join(self._text[span.start : span.end].split())[:_LONGEST_HEADING]

    def page(self, offset: int) -> int | None:
        """The page at `offset`, from 1; None if the format has no pages."""
        at = bisect_right(self._page_starts, offset) - 1
        return self._pages[at] if at >= 0 else None


class WorkScenes:
    """Scenes of works, from the texts that an index keeps. Not thread-safe.

    The index does not keep where pages end, so pages of works are unknown.

    Args:
        index: open.
    """

    def __init__(self, index: ReferenceIndex) -> None:
        self._index = index
        self._files = {(file.work_id, file.path): file for file in index.files}
        self._cache: OrderedDict[tuple[str, str], ScriptScenes | None] = OrderedDict()

    def of(self, work_id: str, work_file: str) -> ScriptScenes | None:
        """Scenes of a file of a work; None if its text is not kept or can't be read."""
        key = (work_id, work_file)
        if key not in self._cache:
            self._cache[key] = self._read(key)
            if len(self._cache) > _CACHED_WORKS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _read(self, key: tuple[str, str]) -> ScriptScenes | None:
        file = self._files.get(key)
        if file is None:
            return None
        try:
            text = self._index.content(file).text
        except (ScreeningError, OSError):
            return None  # the evidence is complete without scenes
        return None if text is None else ScriptScenes(stored_script(text, file.format))


def stored_script(text: str, script_format: str) -> LoadedScript:
    """A script from its stored text and the name of its format; elements are parsed by layout."""
    spans = fountain_spans(text) if script_format == "fountain" else (Span(0, len(text)),)
    return LoadedScript(text, spans, _PARSED_AS.get(script_format, script_format))


def with_scenes(
    outcomes: Sequence[StageOutcome], script: LoadedScript, works: WorkScenes
) -> tuple[StageOutcome, ...]:
    """Outcomes with the scene and page of each passage, in the asset and in the work.

    Args:
        outcomes: of one asset.
        script: the asset.
        works: of the index that was searched.
    """
    if not any(one.passages for outcome in outcomes for one in outcome.evidence):
        return tuple(outcomes)
    asset_scenes = ScriptScenes(script)

    def placed(work_id: str, passage: Passage) -> Passage:
        work_scenes = works.of(work_id, passage.work_file)
        return replace(
            passage,
            asset_scene=asset_scenes.scene(passage.asset_start),
            asset_page=asset_scenes.page(passage.asset_start),
            work_scene=work_scenes.scene(passage.work_start) if work_scenes else None,
            work_page=work_scenes.page(passage.work_start) if work_scenes else None,
        )

    def of_evidence(evidence: Evidence) -> Evidence:
        passages = tuple(placed(evidence.work_id, one) for one in evidence.passages)
        return replace(evidence, passages=passages)

    return tuple(
        replace(outcome, evidence=tuple(of_evidence(one) for one in outcome.evidence))
        for outcome in outcomes
    )
