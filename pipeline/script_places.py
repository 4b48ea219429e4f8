"""Where in a script a passage stands: its scene and its page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from pipeline.elements import elements_of
from pipeline.records import Evidence, LoadedScript, Passage, StageOutcome

_LONGEST_HEADING = 120


class ScriptPlaces:
    """Scenes and pages of a script, by offset in characters."""

    def __init__(self, script: LoadedScript) -> None:
        self._text = script.text
        self._scenes = [s for s in elements_of(script) if s.element == "scene heading"]
        self._scene_starts = [span.start for span in self._scenes]
        self._page_starts = [span.start for span in script.spans] if script.pages else []
        self._pages = script.pages

    def scene(self, offset: int) -> str | None:
        """The heading of the scene that `offset` lies in, on one line; None before the first."""
        at = bisect_right(self._scene_starts, offset) - 1
        if at < 0:
            return None
        span = self._scenes[at]
        return " ".join(self._text[span.start : span.end].split())[:_LONGEST_HEADING]

    def page(self, offset: int) -> int | None:
        """The page that `offset` lies on, from 1; None if the format has no pages."""
        at = bisect_right(self._page_starts, offset) - 1
        return self._pages[at] if at >= 0 else None


def with_places(outcomes: Sequence[StageOutcome], script: LoadedScript) -> tuple[StageOutcome, ...]:
    """Outcomes whose passages know their scene and page in the asset."""
    if not any(one.passages for outcome in outcomes for one in outcome.evidence):
        return tuple(outcomes)
    places = ScriptPlaces(script)

    def placed(passage: Passage) -> Passage:
        start = passage.asset_start
        return replace(passage, asset_scene=places.scene(start), asset_page=places.page(start))

    def of_evidence(evidence: Evidence) -> Evidence:
        return replace(evidence, passages=tuple(placed(one) for one in evidence.passages))

    return tuple(
        replace(outcome, evidence=tuple(of_evidence(one) for one in outcome.evidence))
        for outcome in outcomes
    )
