"""Clearance: screen generated images and scripts for copyright risk.

The command is `clearance`; the steps are discover, load, fingerprint, search, verify, fuse, and
the risk table that a person reviews. Importing this package imports no model library; `screen`,
`load_run` and `Run` are the public API, see `pipeline.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import Run, load_run, screen

__all__ = ["Run", "load_run", "screen"]


def __getattr__(name: str) -> Any:
    # Late, so that `import pipeline` stays quick.
    if name in __all__:
        from pipeline import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
