"""The stages, and their registry: a new stage is one module here and one line below.

Stage modules import their heavy libraries (torch, faiss, imagehash) inside methods, so that this
package stays quick to import.

It imports `core`, `runtime`, `load`, `decisions` and `reference_index`.
"""

from __future__ import annotations

from pipeline.core.measures import Measure
from pipeline.stages.base import Stage, StageSettings
from pipeline.stages.clip_embedding import ClipEmbedding
from pipeline.stages.local_features import LocalFeatures
from pipeline.stages.perceptual_hash import PerceptualHash
from pipeline.stages.text_overlap import TextOverlap

STAGES: dict[str, type[Stage]] = {
    stage.name: stage for stage in (PerceptualHash, ClipEmbedding, LocalFeatures, TextOverlap)
}
"""Every stage by name, in the order in which they run and their columns stand; one that verifies
stands after those that nominate candidates for it."""

__all__ = ["STAGES", "Measure", "Stage", "StageSettings"]
