"""Pages from templates: what every page has around it, and how texts are shown."""

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

from pipeline.core.records import Band, Outcome
from pipeline.core.wording.templating import template_environment
from pipeline.core.wording.terms import BANDS, OUTCOMES, count, risk_number
from pipeline.decisions.events import Choice, Decision, Event, same_person
from pipeline.decisions.state import State
from pipeline.results.inputs import drops_of
from pipeline.review.access.people import Person
from pipeline.review.access.sessions import Access, Session
from pipeline.review.newer import NewerRun
from pipeline.review.queue.filters import NOBODY, Filters
from pipeline.review.review_session import ReviewSession
from pipeline.review.wording import CHOICES, FILTERS, MEANINGS, STATES

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "static"
DONE = "done"
"""In a query string: the event that was just written, which the page speaks of."""

DROPS, PLACES = 3, 20
"""A scan's drops that the head of a page names, and those of which it says where they lie."""

CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
THEMES = ("light", "dark")


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page from a template that extends `base.html.j2`.

    Args:
        request: the request; who is at the page, their word against CSRF, and what was just done
            come from it.
        template: its name in `templates`.
        status: the HTTP status.
        context: what the template speaks of.
    """
    session: Session | None = getattr(request.state, "session", None)
    review: ReviewSession = request.app.state.review
    access: Access = request.app.state.access
    newer: NewerRun | None = request.app.state.newer
    theme = request.cookies.get("theme", "")
    around = {
        "request": request,
        "person": session.person if session else None,
        "csrf": session.csrf if session else "",
        "passwords": access.passwords,
        "screened": screened(review.stored.run),
        "newer": newer.sentence() if newer and session else "",
        "theme": theme if theme in THEMES else "",
        "done": just_done(request, review, session.person) if session else None,
        "query": carried(request),
    }
    html = templates().get_template(template).render({**around, **context})
    return HTMLResponse(html.encode("utf-8", "backslashreplace"), status)


@dataclass(frozen=True, slots=True)
class Screened:
    """What the head of a page says of the run.

    Attributes:
        run_id: of the run; "?" if it does not say.
        drops: the names of a nightly scan's drops, or where the one drop of a run lies.
        more_drops: how many are not among them.
        places: where each of a scan's drops lies, a line each; empty for a run over one drop.
    """

    run_id: str
    drops: tuple[str, ...]
    more_drops: int
    places: str


def screened(run: Mapping[str, Any]) -> Screened:
    """What the head of a page says of a run.

    Args:
        run: run.json, of a run over one drop or of a nightly scan over several.
    """
    found = drops_of(run)
    told = [f"{name}: {where}" for name, where in found.items() if name]
    if len(told) > PLACES:
        told[PLACES:] = [f"and {len(told) - PLACES:,} more"]
    names = [name or where for name, where in found.items() if name or where]
    return Screened(
        run_id=str(run.get("run_id") or "?"),
        drops=tuple(names[:DROPS]),
        more_drops=max(0, len(names) - DROPS),
        places="\n".join(told),
    )


def carried(request: Request) -> str:
    """The queue's filters in the query string of whatever page this is, to be carried along."""
    return Filters.of_query(request.query_params.multi_items()).query()


def just_done(request: Request, review: ReviewSession, person: Person) -> dict[str, Any] | None:
    """The person's own decision that the query string says was just written."""
    wanted = request.query_params.get(DONE, "")
    number = request.query_params.get("of", "")
    # Of more digits than that, Python makes no number.
    plain = number.isascii() and number.isdigit() and len(number) < 10
    if not wanted or not plain or int(number) >= len(review):
        return None
    row = review.row(int(number))
    work_id = request.query_params.get("of_work") or None
    if work_id is not None and all(match["work_id"] != work_id for match in review.matches(row)):
        return None
    visibility = review.visibility(row, person, work_id)
    event: Event | None = next((one for one in visibility.events if one.event_id == wanted), None)
    if event is None or not same_person(event.actor, person.name):
        return None
    return {
        "event": event,
        "number": int(number),
        "row": row,
        "work_id": work_id,
        "visibility": visibility,
        "undone": wanted in visibility.undone,
        "evidence": review.evidence(row, work_id),
    }


def deciding(
    request: Request, number: int, row: dict[str, Any], work_id: str | None, person: Person
) -> dict[str, Any]:
    """What `decide.html.j2` needs: put it into the context of the page that includes it."""
    review: ReviewSession = request.app.state.review
    access: Access = request.app.state.access
    band = review.basis(row, work_id).band
    rules = review.rules
    state = review.state(row, work_id)
    pairless = (work_id or row["work_id"]) is None or row["asset_id"] is None
    asked = request.query_params.get("choice_made", "")
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
                "off": choice is Choice.FALSE_MATCH and pairless,
                "asked": asked == str(choice),
            }
            for place, choice in enumerate(CHOICES, start=1)
        ],
        "evidence": review.evidence(row, work_id),
        "event_ids": [secrets.token_hex(16) for _ in range(3)],
        "names": access.names(),
        "same_bytes": len(review.numbers_of(row)) - 1,
    }


@cache
def templates() -> Environment:
    """The page's templates, with what they call."""
    made = template_environment(FOLDER / "templates")
    made.filters["risk"] = lambda number: risk_number(
        None if number is None or number != number else float(number)
    )
    made.filters["state"] = lambda name: STATES[State(name)]
    made.filters["choice"] = lambda name: CHOICES[Choice(name)]
    made.filters["time"] = lambda time: f"{time[:10]} {time[11:16]} UTC"
    made.filters["stage"] = lambda name: str(name).replace("_", " ").capitalize()
    made.filters["outcome"] = lambda name: OUTCOMES[Outcome(name)]
    made.filters["filter_name"] = lambda name: FILTERS.get(name, name)
    made.globals["filter_value"] = filter_value
    made.globals["bands_word"] = lambda name: BANDS[Band(name)]
    made.globals["states_word"] = lambda name: STATES[State(name)]
    made.globals["choices_word"] = lambda name: CHOICES[Choice(name)]
    made.globals["static"] = static_url
    made.globals["count"] = count
    made.globals["is_decision"] = lambda event: isinstance(event.payload, Decision)
    made.globals["OUTCOMES"] = [str(one) for one in Outcome]
    return made


def filter_value(name: str, value: str) -> str:
    """A filter's value in words."""
    words: dict[str, dict[Any, str]] = {
        "band": {str(one): word for one, word in BANDS.items()},
        "status": {str(one): word for one, word in STATES.items()},
        "choice": {str(one): word for one, word in CHOICES.items()},
    }
    found = words.get(name, {}).get(value, value)
    return "none" if found == NOBODY else found


@cache
def static_files() -> dict[str, tuple[bytes, str, str]]:
    """What is served beside pages: by name, bytes, content type, and a digest of the bytes."""
    found = {}
    for file in sorted(STATIC.iterdir()):
        if file.suffix in CONTENT_TYPES:
            data = file.read_bytes()
            digest = hashlib.sha256(data).hexdigest()[:16]
            found[file.name] = (data, f"{CONTENT_TYPES[file.suffix]}; charset=utf-8", digest)
    return found


def static_url(name: str) -> str:
    """Where a file of `static` is served; it changes with the file's bytes."""
    return f"/static/{name}?v={static_files()[name][2]}"
