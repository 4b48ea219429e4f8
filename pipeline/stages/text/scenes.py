"""Scene and page of a passage, in the asset and in the work."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.core.errors import ScreeningError
from pipeline.core.records import Evidence, Passage, StageOutcome
from pipeline.load.loaded import LoadedScript, Span
from pipeline.load.script.fountain import fountain_spans
from pipeline.stages.text.elements import elements_of

if TYPE_CHECKING:
    from reference_index.store import ReferenceIndex

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
