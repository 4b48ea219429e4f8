"""PostgreSQL errors as sentences without addresses or passwords."""

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
"""By the prefix of an SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def server_name(url: URL) -> str:
    """A database for messages: host, port and name; no user, password, socket folder or option."""
    host = url.host or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port is not None else ""
    return f"postgresql://{host}{port}/{url.database or ''}"


def server_message(error: BaseException) -> str:
    """Half a sentence on an error of the driver.

    The driver's own message can contain addresses, socket folders and anything in the URL, so it is
    never passed on; an SQLSTATE is.
    """
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        for prefix, sentence in _BY_STATE:
            if state.startswith(prefix):
                return sentence
        return f"its server refuses, with SQLSTATE {state}"
    # Errors before authentication have no SQLSTATE, and the message may be in any language.
    message = str(error).lower()
    if "authentication" in message or "password" in message or "pg_hba" in message:
        return _BY_STATE[0][1]
    if "database" in message and "does not exist" in message:
        return _BY_STATE[1][1]
    if type(error).__name__ == "ProgrammingError":
        return "its URL is not one that PostgreSQL understands"
    return "its server can't be reached"
