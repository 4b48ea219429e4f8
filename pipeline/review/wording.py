"""Display texts of states, decisions and filters on the page."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.decisions.events import Choice
from pipeline.decisions.standing import Status
from pipeline.decisions.state import State

STATES: Mapping[State, str] = {
    State.OPEN: "Open",
    State.REOPENED: "Reopened",
    State.FIRST_GIVEN: "Second person wanted",
    State.CONTESTED: "Contested",
    State.AGREED: "Decided",
    State.SUPPRESSED: "Suppressed",
}
"""In the order of urgency."""

RULE_STATUSES: Mapping[Status, str] = {
    Status.WAITING: "Waiting for a second person",
    Status.ACTIVE: "Active",
    Status.EXPIRED: "Expired",
    Status.REVOKED: "Revoked",
}
"""In the order of the page of rules."""

CHOICES: Mapping[Choice, str] = {
    Choice.NO_ISSUE: "No issue",
    Choice.NEEDS_LICENCE: "Needs licence",
    Choice.REPLACE: "Replace",
    Choice.ESCALATE_TO_LEGAL: "Escalate to legal",
    Choice.FALSE_MATCH: "False match",
}
"""In the order of their keys, Shift+1 to Shift+5."""

MEANINGS: Mapping[Choice, str] = {
    Choice.NO_ISSUE: "Looked at; nothing to do for this row.",
    Choice.NEEDS_LICENCE: "To be used only with a licence.",
    Choice.REPLACE: "The asset is to be replaced.",
    Choice.ESCALATE_TO_LEGAL: "Lawyers are to look at it.",
    Choice.FALSE_MATCH: "Not this work; later scans suppress the match, until this is taken back.",
}

FILTERS: Mapping[str, str] = {
    "q": "search",
    "work_id": "work",
    "choice": "decision",
    "asset_id": "same bytes",
    "assignee": "assigned to",
}
"""Display names of filters that differ from their names in the query string."""
