"""The CSRF check: requests that change something come from a page of this server's own session.

Two checks, independent of each other: browsers say which site sent a request (`Origin`,
`Sec-Fetch-Site`), and each session has a CSRF token that only its own pages hold.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from pipeline.review.access.sessions import Session
from pipeline.review.request_body import is_form, read_form

HEADER = "x-csrf-token"
FIELD = "csrf"


def refuse_cross_site(request: Request) -> None:
    """Refuses a request that a browser says was sent by a page of another site.

    Raises:
        HTTPException: 403 if it was.
    """
    host = request.headers.get("host", "").lower()
    cross_origin = any(_host_of(origin) != host for origin in request.headers.getlist("origin"))
    fetch_site = request.headers.get("sec-fetch-site", "same-origin")
    if cross_origin or fetch_site not in ("same-origin", "none"):
        raise HTTPException(403, "This request came from a page of another site.")


def _host_of(origin: str) -> str:
    try:
        return (urlsplit(origin).netloc or origin).lower()
    except ValueError:  # an unclosed bracket of an IPv6 address
        return origin


async def refuse_without_token(request: Request, session: Session) -> None:
    """Refuses a request that does not carry the CSRF token of its session.

    Raises:
        HTTPException: 403 if it does not.
    """
    token: object = request.headers.get(HEADER)
    if token is None and is_form(request):
        token = (await read_form(request)).get(FIELD)
    data = token.encode("utf-8", "backslashreplace") if isinstance(token, str) else b""
    if not hmac.compare_digest(data, session.csrf.encode()):
        raise HTTPException(
            403, "This page is older than your session: load it again and then decide."
        )
