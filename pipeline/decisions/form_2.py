"""The payloads that form 2 of the record brought: rules that suppress, approvals, attachments, what
agrees to and revokes them, and the event by which an older record goes over to form 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

from pipeline.decisions.basis import Item
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.texts import stored_text, stored_texts

_SHA_256 = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A record of form 1 takes events of form 2 from here on, and of form 1 no more.

    Attributes:
        salt: as that of `Opened`.
    """

    salt: str

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"from": 1, "to": 2, "salt": self.salt}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`."""
        return cls(stored_digest(value["salt"], "a salt"))


@dataclass(frozen=True, slots=True)
class SuppressionRule:
    """A rule that suppresses matches of some works in some assets, as a false match does.

    Attributes:
        works: the works.
        assets: the assets.
        reason: why.
        until: the last day (UTC, ISO 8601) on which it counts; empty if it has none.
        persons: how many people must agree to it, by the record's rules at that time.
    """

    works: WorkSelection
    assets: FolderSelection
    reason: str
    until: str = ""
    persons: int = 2

    @property
    def words(self) -> str:
        """What it suppresses, as half a sentence."""
        return f"matches with {self.works.words}, {self.assets.words}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "works": self.works.to_json(),
            "folders": list(self.assets.folders),
            "reason": self.reason,
            "until": self.until,
            "persons": self.persons,
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if it is no rule.
        """
        return cls(
            WorkSelection.of_json(value["works"]),
            FolderSelection.of_json(value["folders"]),
            stored_text(value["reason"], "a reason"),
            stored_day(value["until"]),
            _persons(value["persons"]),
        )


@dataclass(frozen=True, slots=True)
class ApprovedAsset:
    """An asset that an approval names: SHA-256 (hex) of its bytes, and its path at that time."""

    asset_id: str
    asset_path: str


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule of a policy pack that an approval answers: the pack, its SHA-256 (hex), the rule."""

    pack: str
    pack_digest: str
    rule: str


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval that somebody outside gave, as the actor of the event states it.

    Attributes:
        assets: the assets that it names.
        folders: further assets, by folder; unlike in a rule, none at all if there are no folders.
        policy_rules: the rules that it answers; empty if it was given for none of them.
        given_for: what it was given for, in words: a use, a scene, a period.
        given_on: facts that it was given on, by name, such as the digest of what was declared: if
            one of them is another now, it no longer holds.
        approved_by_party: who gave it, as stated.
        approved_on: the day on which it was given (ISO 8601); empty if not stated.
        since, until: first and last day on which it holds; empty for no bound.
        reference: number or name by which the other side knows it.
        note: any other remark.
        documents: SHA-256 (hex) of each document that shows it.
        persons: how many people must agree that it is as stated.
    """

    assets: tuple[ApprovedAsset, ...] = ()
    folders: tuple[str, ...] = ()
    policy_rules: tuple[PolicyRule, ...] = ()
    given_for: str = ""
    given_on: Mapping[str, str] = field(default_factory=dict)
    approved_by_party: str = ""
    approved_on: str = ""
    since: str = ""
    until: str = ""
    reference: str = ""
    note: str = ""
    documents: tuple[str, ...] = ()
    persons: int = 1

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "assets": [
                {"asset_id": one.asset_id, "asset_path": one.asset_path} for one in self.assets
            ],
            "folders": list(self.folders),
            "policy_rules": [
                {"pack": one.pack, "pack_digest": one.pack_digest, "rule": one.rule}
                for one in self.policy_rules
            ],
            "given_on": dict(self.given_on),
            **{name: getattr(self, name) for name in _APPROVAL_TEXTS},
            **{name: getattr(self, name) for name in _APPROVAL_DAYS},
            "documents": list(self.documents),
            "persons": self.persons,
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if it is no approval.
        """
        facts = value["given_on"]
        if not isinstance(facts, dict) or not all(isinstance(one, str) for one in facts.values()):
            raise TypeError("what an approval was given on is not text by name")
        approval = cls(
            assets=tuple(
                ApprovedAsset(
                    stored_digest(one["asset_id"], "an asset's id"),
                    stored_text(one["asset_path"], "a path"),
                )
                for one in value["assets"]
            ),
            folders=stored_texts(value["folders"], "a folder"),
            policy_rules=tuple(
                PolicyRule(
                    stored_text(one["pack"], "a pack"),
                    stored_digest(one["pack_digest"], "a pack's digest"),
                    stored_text(one["rule"], "a rule"),
                )
                for one in value["policy_rules"]
            ),
            given_on=facts,
            documents=tuple(stored_digest(one, "a document") for one in value["documents"]),
            persons=_persons(value["persons"]),
            **{name: stored_text(value[name], name) for name in _APPROVAL_TEXTS},
            **{name: stored_day(value[name]) for name in _APPROVAL_DAYS},
        )
        if not approval.assets and not approval.folders:
            raise ValueError("an approval of no asset")
        return approval


_APPROVAL_TEXTS = ("given_for", "approved_by_party", "reference", "note")
_APPROVAL_DAYS = ("approved_on", "since", "until")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document, by its digest; its bytes are kept elsewhere.

    Attributes:
        sha256: SHA-256 (hex) of its bytes.
        size: bytes.
        media_type: such as `application/pdf`.
        name: of the file.
        event_id: the event that it belongs to; empty if it belongs to an item or to the record.
        item: the item that it belongs to; None likewise.
        note: what it is.
    """

    sha256: str
    size: int
    media_type: str
    name: str
    event_id: str = ""
    item: Item | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        belongs_to = {"event": self.event_id} if self.event_id else {}
        if self.item is not None:
            belongs_to = self.item.to_json()  # type: ignore[assignment]
        return {
            "sha256": self.sha256,
            "size": self.size,
            "media_type": self.media_type,
            "name": self.name,
            "belongs_to": belongs_to,
            "note": self.note,
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if it is no attachment.
        """
        size, belongs_to = value["size"], value["belongs_to"]
        if type(size) is not int or size < 0:
            raise ValueError("a size that is no number of bytes")
        media_type = stored_text(value["media_type"], "a media type")
        if not is_media_type(media_type):
            raise ValueError(f"a media type {media_type!r}")
        return cls(
            stored_digest(value["sha256"], "a digest"),
            size,
            media_type,
            stored_text(value["name"], "a name"),
            stored_text(belongs_to.get("event", ""), "an event"),
            Item.of_json(belongs_to) if "asset" in belongs_to else None,
            stored_text(value["note"], "a note"),
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """A second person agrees to a rule or an approval: `of` is its `event_id`."""

    of: str
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"of": self.of, "reason": self.reason}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`."""
        return cls(stored_text(value["of"], "an event"), stored_text(value["reason"], "a reason"))


@dataclass(frozen=True, slots=True)
class Revocation:
    """A rule, an approval or an attachment that no longer counts; `of` is its `event_id`."""

    of: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"of": self.of, "reason": self.reason}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`."""
        return cls(stored_text(value["of"], "an event"), stored_text(value["reason"], "a reason"))


def payload_words(payload: object) -> str:
    """What a payload of form 2 says, in words for people; empty for another one.

    The words of the rule's maker (reason, note) are not among them.
    """
    match payload:
        case Upgraded():
            return "The record goes over from form 1 to form 2."
        case SuppressionRule() as rule:
            return f"Suppresses {rule.words}{_until(rule.until)}; {_needed(rule.persons)}."
        case Approval() as approval:
            assets = [one.asset_path for one in approval.assets]
            assets += [f"everything in {one}" for one in approval.folders]
            rules = ", ".join(f"{one.rule} of {one.pack}" for one in approval.policy_rules)
            facts = "; ".join(f"{name} {value}" for name, value in approval.given_on.items())
            parts = [
                f"{approval.approved_by_party} approved {approval.given_for}: {', '.join(assets)}",
                f"given on {approval.approved_on}" if approval.approved_on else "",
                f"from {approval.since}" if approval.since else "",
                f"until {approval.until}" if approval.until else "",
                f"reference {approval.reference}" if approval.reference else "",
                f"for the rules {rules}" if rules else "",
                f"made on {facts}" if facts else "",
                f"documents {', '.join(approval.documents)}" if approval.documents else "",
                _needed(approval.persons),
            ]
            return f"{'; '.join(filter(None, parts))}."
        case Attachment() as one:
            belongs_to = f", of {one.event_id}" if one.event_id else ""
            return (
                f"{one.name}, {one.media_type}, {one.size:,} bytes, SHA-256 {one.sha256}"
                f"{belongs_to}."
            )
        case _:
            return ""


def _until(day: str) -> str:
    return f", until {day}" if day else ""


def _needed(persons: int) -> str:
    return "1 person is enough" if persons == 1 else f"{persons} people must agree"


def stored_digest(value: Any, what: str) -> str:
    """A stored value, if it is 64 hex digits.

    Raises:
        TypeError, ValueError: if it is not.
    """
    if not _SHA_256.fullmatch(stored_text(value, what)):
        raise ValueError(f"{what} that is not 64 hex digits")
    return str(value)


def stored_day(value: Any) -> str:
    """A stored value, if it is a day (`2027-01-31`) or empty.

    Raises:
        TypeError, ValueError: if it is not.
    """
    text = stored_text(value, "a day")
    if text and date.fromisoformat(text).isoformat() != text:
        raise ValueError(f"a day {text!r}")
    return text


def is_media_type(text: str) -> bool:
    """Whether a text has the form of a media type (RFC 6838), in lower case."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def _persons(value: Any) -> int:
    if type(value) is not int or value not in (1, 2):
        raise ValueError(f"{value!r} persons")
    return value
