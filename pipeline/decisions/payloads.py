"""Event payloads from what a person entered: texts cleaned, rules checked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TypeVar

from pipeline.core.errors import RecordError
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.events import Assignment, Choice, Comment, Decision, Rules
from pipeline.decisions.form_2 import Approval, Attachment, SuppressionRule
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.standing import today
from pipeline.decisions.texts import clean_text, person_name


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


def suppression_rule(
    rules: Rules,
    works: WorkSelection,
    assets: FolderSelection,
    reason: str,
    until: str = "",
) -> SuppressionRule:
    """A rule that suppresses. It takes two people if the record's rules ask for a second person in
    any band, because it may act on rows of every band.

    Raises:
        RecordError: if it has no reason, `until` is no day or over, or a text can't be stored.
    """
    reason = clean_text(reason, "reason")
    if not reason:
        raise RecordError("A rule that suppresses needs a reason.")
    last = _day(until)
    if last and last < today():
        raise RecordError(f"{last} is over: a rule until then would never count.")
    return SuppressionRule(works, assets, reason, last, 2 if rules.second_person else 1)


def approval(rules: Rules, stated: Approval) -> Approval:
    """An approval as somebody states it, with the people that the record's rules ask for.

    Raises:
        RecordError: if it names no asset, party or use, or a text, day or digest is none.
    """
    cleaned = replace(
        stated,
        folders=FolderSelection.of(stated.folders).folders,
        given_for=clean_text(stated.given_for, "use"),
        given_on={
            clean_text(name, "fact"): clean_text(value, "fact")
            for name, value in stated.given_on.items()
        },
        approved_by_party=clean_text(stated.approved_by_party, "party"),
        approved_on=_day(stated.approved_on),
        since=_day(stated.since),
        until=_day(stated.until),
        reference=clean_text(stated.reference, "reference"),
        note=clean_text(stated.note, "note"),
        persons=2 if rules.second_person else 1,
    )
    if not cleaned.approved_by_party or not cleaned.given_for:
        raise RecordError("An approval says who gave it (approved_by_party) and what for.")
    if cleaned.since and cleaned.until and cleaned.until < cleaned.since:
        raise RecordError(f"An approval from {cleaned.since} can't end on {cleaned.until}.")
    return _storable(cleaned, "approval")


def attachment(stated: Attachment) -> Attachment:
    """A document that belongs to something.

    Raises:
        RecordError: if a text, digest or media type is none, or it belongs to two things.
    """
    cleaned = replace(
        stated, name=clean_text(stated.name, "name"), note=clean_text(stated.note, "note")
    )
    if not cleaned.name:
        raise RecordError("An attachment needs the name of its file.")
    if cleaned.event_id and cleaned.item is not None:
        raise RecordError("An attachment belongs to an event or to an item, not to both.")
    return _storable(cleaned, "attachment")


Stated = TypeVar("Stated", Approval, Attachment)


def _storable(stated: Stated, what: str) -> Stated:
    """What a reader would accept: it is read back once before it is written."""
    try:
        return type(stated).of_json(parse_canonical(canonical_bytes(stated.to_json())))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"The {what} can't be stored: {error}.") from error


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat() if text.strip() else ""
    except ValueError:
        raise RecordError(f"{text!r} is no day; give it as 2027-01-31.") from None
