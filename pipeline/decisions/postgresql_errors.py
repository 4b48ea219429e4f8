"""What PostgreSQL and its driver say, in words that tell neither a place nor a secret."""

from __future__ import annotations

from sqlalchemy import URL

_BY_STATE = (
    ("28", "its server does not let this user in"),
    ("3D000", "there is no such database on its server"),
    ("42501", "this user may not do that in the database"),
    ("42P01", "its table of events is not there"),
    ("25006", "the database takes no writes"),
    ("55P03", "the database is locked by another writer"),
    ("57014", "its server took too long and gave up"),
    ("57P", "its server ended the connection"),
    ("08", "the connection to its server was lost"),
    ("53", "its server has no room, memory or connection left"),
    ("P0001", "the record is append-only"),
)
"""By the beginning of an SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def server_name(url: URL) -> str:
    """A database for people: its host and its name; no user, password, folder or option."""
    host = url.host or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port is not None else ""
    return f"postgresql://{host}{port}/{url.database or ''}"


def server_said(error: BaseException) -> str:
    """Half a sentence on what the driver's error says.

    Its own words hold addresses, folders of sockets and whatever stands in a URL, so none of them
    is passed on; of what has a code, the code is.
    """
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        for beginning, said in _BY_STATE:
            if state.startswith(beginning):
                return said
        return f"its server refuses, with SQLSTATE {state}"
    # Before somebody is let in there are no codes, and the words may be in any language.
    words = str(error).lower()
    if "authentication" in words or "password" in words or "pg_hba" in words:
        return _BY_STATE[0][1]
    if "database" in words and "does not exist" in words:
        return _BY_STATE[1][1]
    if type(error).__name__ == "ProgrammingError":
        return "its URL is not one that PostgreSQL understands"
    return "its server can't be reached"
