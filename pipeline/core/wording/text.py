"""Text that people read: bands, outcomes, risks, measures and counts in words.

Also the escaping of untrusted text, so that no character of it controls a terminal or a page
(`visible`), and the splitting of a row's reasons into sentences: the tables store them as one text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import regex

from pipeline.core.records import Band, Measure, Outcome, Value

BANDS: Mapping[Band, str] = {
    Band.ESCALATE: "Escalate",
    Band.REVIEW: "Needs review",
    Band.INFO: "For information",
    Band.PARTLY_SCREENED: "Partly screened",
    Band.NOT_SCREENED: "Not screened",
    Band.NO_MATCH: "No match found",
}

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.MATCHED: "matched",
    Outcome.NO_MATCH: "ran, no match",
    Outcome.ABSTAINED: "could not judge it",
    Outcome.SKIPPED: "was not run",
    Outcome.FAILED: "failed",
    Outcome.NOT_APPLICABLE: "does not apply",
}

FORMATS: Mapping[str, str] = {
    "txt": "Plain text",
    "md": "Markdown",
    "fountain": "Fountain",
    "fdx": "Final Draft",
    "fadein": "Fade In",
    "docx": "Word",
    "pdf": "PDF",
    "srt": "SubRip subtitles",
    "vtt": "WebVTT subtitles",
    "WEBP": "WebP",
}
"""Formats whose stored name is not what people call them."""

SUPPRESSED = "suppressed: people agreed on that, and it decides nothing"


def risk_number(risk: float | None) -> str:
    """A risk to two decimals, never rounded up to 1 or down to 0; a dash for None."""
    if risk is None:
        return "–"
    if risk > 0.99:
        return ">0.99"
    return "<0.01" if risk < 0.01 else f"{risk:.2f}"


def risk_in_words(
    risk: float | None, *, identical: bool = False, evidence: bool = True, counted: bool = True
) -> str:
    """A risk as a share of labelled pairs: `about 90 in 100 labelled pairs … were copies`.

    Args:
        risk: calibrated, or None.
        identical: whether it was set because the file is a registered file, byte for byte.
        evidence: whether it is the risk of a match; otherwise it is the calibration's prior.
        counted: whether any evidence adds to it. If none does, it is not compared with labelled
            pairs.
    """
    if risk is None:
        return "not given, because too little of it could be judged"
    if identical:
        return "the file is a registered file, byte for byte: set by rule, not estimated"
    if evidence and not counted:
        return "what was found adds nothing to it"
    such = "with such evidence" if evidence else "without any evidence"
    if risk > 0.99:
        share = "more than 99 in 100"
    elif risk < 0.01:
        share = "fewer than 1 in 100"
    else:
        share = f"about {round(100 * risk)} in 100"
    return f"{share} labelled pairs {such} were copies"


def value_in_words(value: Value, measure: Measure | None) -> str:
    """A measure's value with its unit: `2 bits of 64`, `0.931`, `yes`."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    large = isinstance(value, int) or abs(value) >= 1000  # never `1e+04`
    number = f"{value:,.0f}" if large else f"{value:.3g}"
    unit = measure.unit if measure else ""
    if " to " in unit or "," in unit:  # a range or a remark, such as `0 to 1`
        return f"{number} ({unit})"
    if value == 1:
        first, space, rest = unit.partition(" ")
        unit = {"words": "word", "bits": "bit"}.get(first, first) + space + rest
    return f"{number} {unit}".rstrip()


def percent(share: float, *, whole: float = 1.0) -> str:
    """A share in per cent, never rounded up to 100 or down to 0: `95 %`.

    Args:
        share: 0 to 1.
        whole: from this share on it is 100 %.
    """
    if share < 0.01:
        return "less than 1 %"
    return "100 %" if share >= whole else f"{min(99, round(100 * share))} %"


def format_title(name: str) -> str:
    """A stored format or kind for people: `Final Draft`, `PDF`, `JPEG`, `Script`."""
    return FORMATS.get(name, capitalized(name))


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 file`, `2 files`, `1,204 files`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def capitalized(text: str) -> str:
    """`text` with its first letter in upper case and the others as they are."""
    return text[:1].upper() + text[1:]


def passage_location(page: int | None, scene: str | None) -> str:
    """Where in a script a passage begins: `page 12, scene INT. KITCHEN`; blank if not known."""
    parts = [f"page {page:,}"] if page is not None else []
    parts += [f"scene {visible(scene)}"] if scene else []
    return ", ".join(parts)


def visible(text: str, *, keep_newlines: bool = False) -> str:
    """`text` with control, format (bidi, zero-width), surrogate and separator characters escaped.

    They become ``\\n``, ``\\t``, ``\\r`` or ``\\xNN``/``\\uNNNN``, so that a file name can't forge
    a line of output, move the cursor or reorder text. With `keep_newlines`, line feeds stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if (c == "\n" and keep_newlines) or not _is_control(c) else _escaped(c) for c in text
    )


def _is_control(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(c: str) -> str:
    short_form = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c)
    if short_form:
        return short_form
    code = ord(c)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\Wa-z_]|[“\"'(])")
_INITIAL = re.compile(r"(?:^|[\W_])[^\W\d_]\.$")
_QUOTED = re.compile(r"“[^”]*”")
_NAMES_THE_WORK = ("evidence of copying from ", "weak evidence of copying from ", "words shared ")


def sentences(text: str, names: Iterable[str | None] = ()) -> tuple[str, ...]:
    """The sentences of a text; joined with spaces they give the text.

    Args:
        text: the reasons of a row.
        names: of works and people, in which a full stop ends no sentence: `W. H. Auden`,
            `Acme Inc.`
    """
    text = " ".join(text.split())
    protected = [match.span() for match in _QUOTED.finditer(text)]
    for name in {" ".join(visible(name).split()) for name in names if name}:
        if name:
            protected += [match.span() for match in re.finditer(re.escape(name), text)]
    parts, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        inside = any(first < end.start() < last for first, last in protected)
        if inside or _INITIAL.search(text, start, end.start()):
            continue
        parts.append(text[start : end.start()])
        start = end.end()
    return (*parts, text[start:]) if text else ()


def reasons_in_one_line(text: str, names: Iterable[str | None] = ()) -> str:
    """The reasons without band and work, for a table that has these in columns of their own.

    Args:
        text, names: as of `sentences`.
    """
    parts = sentences(text, names)
    if not parts:
        return ""
    band, colon, rest = parts[0].partition(": ")
    first = rest if colon and band in BANDS.values() else parts[0]
    if len(parts) > 1 and first.startswith(_NAMES_THE_WORK):
        return " ".join(parts[1:])
    return " ".join((capitalized(first), *parts[1:]))


def suppressed_sentences(suppressed: int, by_rules: int) -> list[str]:
    """Sentences on how many matches of a run are suppressed.

    Args:
        suppressed: all of them.
        by_rules: of these, those that rules suppress, and no false match.
    """
    false, sentences = suppressed - by_rules, []
    if false:
        are = "it is" if false == 1 else "they are"
        sentences.append(
            f"{count(false, 'match is', 'matches are')} suppressed, because people agreed that "
            f"{are} false."
        )
    if by_rules:
        sentences.append(
            f"{count(by_rules, 'match is', 'matches are')} suppressed by rules that people agreed "
            "on."
        )
    return sentences


TAIL = 13
"""Columns of a long name that stay at its end, where versions and endings are; as in the
pages' styles."""

_CHARACTER = regex.compile(r"\X")


def middle_cut(name: str) -> tuple[str, str]:
    """A name in two parts, of which a page cuts the first where there is no room for both.

    No character is divided from its accents. A short name is the first part alone.
    """
    characters = _CHARACTER.findall(name)
    if len(characters) <= 2 * TAIL:
        return name, ""
    columns, tail = 0, 0
    for character in reversed(characters):
        columns += 2 if unicodedata.east_asian_width(character[0]) in "WF" else 1
        if columns > TAIL:
            break
        tail += 1
    return "".join(characters[:-tail]), "".join(characters[-tail:])
