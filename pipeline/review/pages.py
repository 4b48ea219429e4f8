"""HTML pages from templates: the context common to all pages, template filters, static files."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from pipeline.core.errors import RunError
from pipeline.core.records import Band, Outcome
from pipeline.core.wording.templating import template_environment
from pipeline.core.wording.text import BANDS, OUTCOMES, count, format_title, risk_number
from pipeline.decisions.events import Choice, Decision, Event
from pipeline.decisions.state import State
from pipeline.decisions.texts import same_person
from pipeline.results.inputs import drops_of
from pipeline.review.access.guard import shown_review
from pipeline.review.access.people import Person
from pipeline.review.access.sessions import Access, Session
from pipeline.review.newer import NewerRun
from pipeline.review.queue.filters import NOBODY, Filters
from pipeline.review.review_session import ReviewSession
from pipeline.review.wording import CHOICES, FILTERS, MEANINGS, STATES

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "static"
DONE = "done"
"""Query parameter with the id of the event that was just written, for a notice on the page."""

DROPS, PLACES = 3, 20
"""How many drops of a scan the page header names, and for how many its tooltip has the path."""

SAME_BYTES = 200
"""Paths of the same bytes that an item lists."""

CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
THEMES = ("light", "dark")


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page from a template that extends `base.html.j2`.

    Args:
        request: gives the user, their CSRF token, and the event that was just written.
        template: its name in `templates`.
        status: the HTTP status.
        context: variables of the template.
    """
    session: Session | None = getattr(request.state, "session", None)
    review = shown_review(request)
    access: Access = request.app.state.access
    newer: NewerRun | None = request.app.state.newer
    theme = request.cookies.get("theme", "")
    run = run_header(review.stored.run)
    # By which a browser is told once that another run is shown than the one that it saw last.
    run_cookie, run_mark = f"{access.cookie}_run", hashlib.sha256(run.run_id.encode()).hexdigest()
    seen = request.cookies.get(run_cookie)
    notice = newer.sentence() if newer and session else ""
    common = {
        "request": request,
        "person": session.person if session else None,
        "csrf": session.csrf if session else "",
        "passwords": access.passwords,
        "run": run,
        "newer": notice,
        "newer_there": bool(notice and newer and newer.there and request.app.state.reopen),
        "another_run": bool(session and seen and seen != run_mark),
        "opened_by": request.app.state.opened_by,
        "theme": theme if theme in THEMES else "",
        "done": just_done(request, review, session.person) if session else None,
        "query": filter_query(request),
        "templates": [
            {"text": one.text, "decisions": " ".join(map(str, one.decisions))}
            for one in request.app.state.reasons
        ],
    }
    html = templates().get_template(template).render({**common, **context})
    answer = HTMLResponse(html.encode("utf-8", "backslashreplace"), status)
    if session and seen != run_mark:
        secure = request.url.scheme == "https"
        answer.set_cookie(
            run_cookie, run_mark, httponly=True, samesite="lax", secure=secure, path="/"
        )
    return answer


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What the header of each page shows of the run.

    Attributes:
        run_id: of the run; "?" if run.json has none.
        drops: the names of a nightly scan's drops, or the path of a run's one drop.
        more_drops: how many are not among them.
        places: the path of each of a scan's drops, a line each; empty for a run over one drop.
    """

    run_id: str
    drops: tuple[str, ...]
    more_drops: int
    places: str


def run_header(run: Mapping[str, Any]) -> RunHeader:
    """What the header of each page shows of a run.

    Args:
        run: run.json, of a run over one drop or of a nightly scan over several.
    """
    drops = drops_of(run)
    places = [f"{name}: {path}" for name, path in drops.items() if name]
    if len(places) > PLACES:
        places[PLACES:] = [f"and {len(places) - PLACES:,} more"]
    names = [name or path for name, path in drops.items() if name or path]
    return RunHeader(
        run_id=str(run.get("run_id") or "?"),
        drops=tuple(names[:DROPS]),
        more_drops=max(0, len(names) - DROPS),
        places="\n".join(places),
    )


def wants_json(request: Request) -> bool:
    """Whether a request asks for JSON and not for a page."""
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def filter_query(request: Request) -> str:
    """The queue's filters in the query string of any page, for its links."""
    return Filters.of_query(request.query_params.multi_items()).query()


def just_done(request: Request, review: ReviewSession, person: Person) -> dict[str, Any] | None:
    """The person's own event that was just written, if the query string names one."""
    event_id = request.query_params.get(DONE, "")
    number = request.query_params.get("of", "")
    # int() refuses numbers of very many digits.
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    if not event_id or not is_number or int(number) >= len(review):
        return None
    row = review.row(int(number))
    work_id = request.query_params.get("of_work") or None
    if work_id is not None and all(match["work_id"] != work_id for match in review.matches(row)):
        return None
    visibility = review.visibility(row, person, work_id)
    event: Event | None = next((one for one in visibility.events if one.event_id == event_id), None)
    if event is None or not same_person(event.actor, person.name):
        return None
    return {
        "event": event,
        "number": int(number),
        "row": row,
        "work_id": work_id,
        "visibility": visibility,
        "undone": event_id in visibility.undone,
        "evidence": review.evidence(row, work_id),
    }


def decision_form(
    request: Request, number: int, row: dict[str, Any], work_id: str | None, person: Person
) -> dict[str, Any]:
    """The context of `decide.html.j2`, for a page that includes it."""
    review = shown_review(request)
    access: Access = request.app.state.access
    band = review.basis(row, work_id).band
    rules = review.rules
    state = review.state(row, work_id)
    no_pair = (work_id or row["work_id"]) is None or row["asset_id"] is None
    preselected = request.query_params.get("choice_made", "")
    return {
        "number": number,
        "row": row,
        "work_id": work_id or row["work_id"] or "",
        "state": state,
        "visibility": review.visibility(row, person, work_id),
        "choices": [
            {
                "value": str(choice),
                "label": CHOICES[choice],
                "meaning": MEANINGS[choice],
                "key": place,
                "reason": rules.wants_reason(choice, band),
                "off": choice is Choice.FALSE_MATCH and no_pair,
                "preselected": preselected == str(choice),
            }
            for place, choice in enumerate(CHOICES, start=1)
        ],
        "evidence": review.evidence(row, work_id),
        "event_ids": [secrets.token_hex(16) for _ in range(3)],
        "names": access.names(),
        "same_bytes": same_bytes(review, row, work_id, person),
    }


@dataclass(frozen=True, slots=True)
class SameBytes:
    """Another row on which a decision holds too: its number, its path, and its state."""

    number: int
    asset_path: str
    state: str


def same_bytes(
    review: ReviewSession, row: dict[str, Any], work_id: str | None, person: Person
) -> list[SameBytes]:
    """The other rows on which a decision on a row holds, in the order of their paths."""
    found = []
    for number in review.decided_with(row, work_id)[:SAME_BYTES]:
        other = review.row(number)
        try:
            state = review.visibility(other, person, work_id).state
        except RunError:  # the other row lacks the evidence with that work
            continue
        found.append(SameBytes(number, other["asset_path"], str(state)))
    return sorted(found, key=lambda one: one.asset_path)


@cache
def templates() -> Environment:
    """The page's templates, with their filters and functions."""
    jinja = template_environment(FOLDER / "templates")
    jinja.filters["risk"] = lambda number: risk_number(
        None if number is None or number != number else float(number)
    )
    jinja.filters["format_title"] = format_title
    jinja.filters["state"] = lambda name: STATES[State(name)]
    jinja.filters["choice"] = lambda name: CHOICES[Choice(name)]
    jinja.filters["time"] = lambda time: f"{time[:10]} {time[11:16]} UTC"
    jinja.filters["stage"] = lambda name: str(name).replace("_", " ").capitalize()
    jinja.filters["outcome"] = lambda name: OUTCOMES[Outcome(name)]
    jinja.filters["filter_name"] = lambda name: FILTERS.get(name, name)
    jinja.globals["filter_value"] = filter_value
    jinja.globals["bands_word"] = lambda name: BANDS[Band(name)]
    jinja.globals["states_word"] = lambda name: STATES[State(name)]
    jinja.globals["choices_word"] = lambda name: CHOICES[Choice(name)]
    jinja.globals["static"] = static_url
    jinja.globals["count"] = count
    jinja.globals["is_decision"] = lambda event: isinstance(event.payload, Decision)
    jinja.globals["OUTCOMES"] = [str(one) for one in Outcome]
    return jinja


def filter_value(name: str, value: str) -> str:
    """Display text of a filter's value."""
    words: dict[str, dict[Any, str]] = {
        "band": {str(one): word for one, word in BANDS.items()},
        "status": {str(one): word for one, word in STATES.items()},
        "choice": {str(one): word for one, word in CHOICES.items()},
    }
    text = words.get(name, {}).get(value, value)
    return "none" if text == NOBODY else text


@cache
def static_files() -> dict[str, tuple[bytes, str, str]]:
    """Files of `static` by name: bytes, content type, and a digest of the bytes."""
    files = {}
    for file in sorted(STATIC.iterdir()):
        if file.suffix in CONTENT_TYPES:
            data = file.read_bytes()
            digest = hashlib.sha256(data).hexdigest()[:16]
            files[file.name] = (data, f"{CONTENT_TYPES[file.suffix]}; charset=utf-8", digest)
    return files


def static_url(name: str) -> str:
    """URL of a file of `static`; it changes with the file's bytes, so browsers may cache it."""
    return f"/static/{name}?v={static_files()[name][2]}"
