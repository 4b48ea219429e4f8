"""What an index holds, kept in step with its tables while they are changed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Contents:
    """The digests and former ids of an index's works.

    Attributes:
        works: digests by work id.
        files: digests by file key.
        aliases: by former id of a work, its present id.
    """

    works: dict[str, str]
    files: dict[str, str]
    aliases: dict[str, str] = field(default_factory=dict)

    def unknown(self, index: object, work_ids: Sequence[str]) -> str:
        """The sentence that the index has no such works: each with its present id, or the nearest.

        Args:
            index: its name.
            work_ids: that are no work's.
        """
        names = [f"{work_id!r}{id_hint(work_id, self.works, self.aliases)}" for work_id in work_ids]
        noun = "work" if len(names) == 1 else "works"
        return f"The index {index} has no {noun} {', '.join(names)}."


def id_hint(work_id: str, known: Collection[str], aliases: Mapping[str, str]) -> str:
    """What may be meant by an id that is no work's, in brackets: the present id of a work that had
    it, or the nearest known one; blank if there is none."""
    if work_id in aliases:
        return f" (it was renamed to {aliases[work_id]!r})"
    near = difflib.get_close_matches(work_id, known, 1, 0.5)
    return f" (the nearest is {near[0]!r})" if near else ""
