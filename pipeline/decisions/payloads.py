"""What a person asks to be written, as the record keeps it; refused where it can't be."""

from __future__ import annotations

from pipeline.core.errors import RecordError
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.events import (
    Assignment,
    Choice,
    Comment,
    Decision,
    Rules,
    clean_text,
    person_name,
)


def decision(
    rules: Rules,
    basis: Basis,
    choice: Choice,
    *,
    reason: str = "",
    note: str = "",
    assignee: str = "",
) -> Decision:
    """A decision.

    Raises:
        RecordError: if a reason is missing where the rules want one, `false_match` is said of a row
            without a work or whose bytes could not be read, or words or a name can't be kept.
    """
    choice, kept = Choice(choice), clean_text(reason, "reason")
    if choice is Choice.FALSE_MATCH and (basis.work_id is None or basis.asset_id is None):
        raise RecordError(
            "false_match is said of a file and a work together, and this row lacks one of them."
        )
    if not kept and rules.wants_reason(choice, basis.band):
        raise RecordError(f"A decision {choice} on a row in band {basis.band} needs a reason.")
    return Decision(
        basis,
        choice,
        kept,
        clean_text(note, "note"),
        person_name(assignee, what="The assignee") if assignee else "",
        rules.persons(basis.band),
    )


def assignment(item: Item, assignee: str, note: str = "") -> Assignment:
    """An item given to a person; an empty `assignee` takes it from them.

    Raises:
        RecordError: if the name or the note can't be kept.
    """
    whom = person_name(assignee, what="The assignee") if assignee else ""
    return Assignment(item, whom, clean_text(note, "note"))


def comment(item: Item, text: str) -> Comment:
    """Words on an item.

    Raises:
        RecordError: if there are none, or they can't be kept.
    """
    kept = clean_text(text, "comment")
    if not kept:
        raise RecordError("A comment without words was not written.")
    return Comment(item, kept)
