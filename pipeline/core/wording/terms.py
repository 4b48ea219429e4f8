"""Bands, outcomes, risks, measures and counts in words, the same on every page and terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.records import Band, Measure, Outcome, Value
from pipeline.core.wording.visible import visible

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

SUPPRESSED = "suppressed: people agreed that the match is false, and it decides nothing"


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
        return "no figure, because too little of it could be judged"
    if identical:
        return "the file is a registered file, byte for byte: set by rule, not estimated"
    if evidence and not counted:
        return "what was found adds nothing to this figure"
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
