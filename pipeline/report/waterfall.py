"""The waterfall chart of a risk: what each stage added, as bars on an axis of log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from pipeline.core.wording.text import capitalized, risk_number
from pipeline.risk.fuse import IDENTICAL_FILE, WaterfallStep
from pipeline.stages import stage_title

_STEP_TITLES = {
    "prior": "Before any evidence",
    IDENTICAL_FILE: "Identical file",
    "total": "Together",
}

_TICKS = (0.5, 0.01, 0.99, 0.1, 0.9)
"""Risks to mark on the waterfall's axis; of two that are too close, the first is marked."""

_LEAST_TICK_DISTANCE = 17.0
"""Least distance of two ticks in per cent of the axis: the width of a label on the page."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a waterfall; `left` and `width` in per cent of the axis.

    `name` is `prior`, `total` or what the bar's evidence is from; `added` is empty for the first
    two.
    """

    name: str
    title: str
    added: str
    after: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """What each stage added to a risk, in log-odds.

    Attributes:
        bars: first the prior, then a bar for each stage, at last their sum.
        ticks: risks marked on the axis, and where, in per cent of it.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[str, float], ...]


def waterfall(steps: Sequence[WaterfallStep]) -> Waterfall:
    """The bars of some steps on an axis of log-odds.

    The first bar and the last start at the axis's left end, the others where the one before ends.
    The axis goes on by 1 before the smallest log-odds and by 0.5 after the largest; it is at least
    5.5 long, so that small steps look small.
    """
    ends = [step.log_odds for step in steps]
    low, high = min(ends) - 1.0, max(*ends, min(ends) + 4.0) + 0.5

    def place(log_odds: float) -> float:
        return round((log_odds - low) * 100.0 / (high - low), 2)

    bars = []
    before = low
    for step in steps:
        is_sum = step.name in ("prior", "total")
        left, right = sorted((place(low if is_sum else before), place(step.log_odds)))
        bars.append(
            Bar(
                name=step.name,
                title=_STEP_TITLES.get(step.name) or capitalized(stage_title(step.name)),
                added="" if is_sum else f"{step.added:+.2f}",
                after=risk_number(step.risk),
                left=left,
                width=round(max(right - left, 0.4), 2),
            )
        )
        before = step.log_odds
    ticks: dict[float, float] = {}
    for risk in _TICKS:
        log_odds = log(risk / (1 - risk))
        at = place(log_odds)
        near = any(abs(at - other) < _LEAST_TICK_DISTANCE for other in ticks.values())
        if low < log_odds < high and not near:
            ticks[risk] = at
    return Waterfall(tuple(bars), tuple((f"{risk:g}", at) for risk, at in sorted(ticks.items())))
