"""Pages from templates: what is put in is escaped, and a name that is missing is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.records import Band
from pipeline.core.wording.terms import BANDS
from pipeline.core.wording.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_SHARED = Path(__file__).resolve().parent


def environment(folder: Path) -> Environment:
    """The templates of a folder, and base.css beside this file, with the filters that all pages
    use: `shown`, any text with what would not be seen made visible; `band`, a band's name for
    people.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown"] = lambda text: visible(str(text), keep_newlines=True)
    made.filters["band"] = lambda name: BANDS[Band(name)]
    return made
