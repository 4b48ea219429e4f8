"""Event payloads from what a person entered: texts cleaned, rules checked."""

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
        RecordError: if a reason is missing that the rules require, `false_match` is decided on a
            row without a work or whose bytes could not be read, or a text or name can't be stored.
    """
    choice, reason = Choice(choice), clean_text(reason, "reason")
    if choice is Choice.FALSE_MATCH and (basis.work_id is None or basis.asset_id is None):
        raise RecordError(
            "false_match is said of a file and a work together, and this row lacks one of them."
        )
    if not reason and rules.wants_reason(choice, basis.band):
        raise RecordError(f"A decision {choice} on a row in band {basis.band} needs a reason.")
    return Decision(
        basis,
        choice,
        reason,
        clean_text(note, "note"),
        person_name(assignee, what="The assignee") if assignee else "",
        rules.persons(basis.band),
    )


def assignment(item: Item, assignee: str, note: str = "") -> Assignment:
    """An item assigned to a person; an empty `assignee` removes the assignment.

    Raises:
        RecordError: if the name or the note can't be stored.
    """
    assignee = person_name(assignee, what="The assignee") if assignee else ""
    return Assignment(item, assignee, clean_text(note, "note"))


def comment(item: Item, text: str) -> Comment:
    """A comment on an item.

    Raises:
        RecordError: if the text is empty or can't be stored.
    """
    text = clean_text(text, "comment")
    if not text:
        raise RecordError("A comment without words was not written.")
    return Comment(item, text)
