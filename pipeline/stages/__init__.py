"""The stages, and their registry: a new stage is one module here and one line below.

Stage modules import their heavy libraries (torch, faiss, imagehash) inside methods, so that this
package stays quick to import.

It imports `core`, `runtime`, `load`, `decisions` and `reference_index`.
"""

from __future__ import annotations

from pipeline.core.records import Measure
from pipeline.stages.base import Stage, StageSettings
from pipeline.stages.clip_embedding import ClipEmbedding
from pipeline.stages.local_features import LocalFeatures
from pipeline.stages.perceptual_hash import PerceptualHash
from pipeline.stages.text_overlap import TextOverlap

STAGES: dict[str, type[Stage]] = {
    stage.name: stage for stage in (PerceptualHash, ClipEmbedding, LocalFeatures, TextOverlap)
}
"""Every stage by name, in the order in which they run and in which the tables list their columns. A
stage that verifies comes after the stages that generate candidates for it."""


def stage_title(name: str) -> str:
    """A stage's title for people; its name if it is not registered."""
    return STAGES[name].title if name in STAGES else name


__all__ = ["STAGES", "Measure", "Stage", "StageSettings", "stage_title"]
