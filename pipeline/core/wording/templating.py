"""Jinja environments for pages: values are escaped, and an undefined name is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.records import Band
from pipeline.core.wording.text import BANDS, middle_cut, risk_number, visible

if TYPE_CHECKING:
    from jinja2 import Environment

_SHARED = Path(__file__).resolve().parent


def template_environment(folder: Path) -> Environment:
    """Environment of the templates in `folder` and of those that all pages share: base.css, and
    cut.html.j2 for long names.

    Filters: `visible` escapes the invisible characters of a text, `middle_cut` divides a name where
    it may be cut, `band` gives a band's name for people, `risk` a risk as a number, or a dash for
    None and NaN, `rights` the label of a work's rights in words.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = lambda text: visible(str(text), keep_newlines=True)
    environment.filters["middle_cut"] = middle_cut
    environment.filters["band"] = lambda name: BANDS[Band(name)]
    environment.filters["risk"] = lambda risk: risk_number(
        None if risk is None or risk != risk else float(risk)
    )
    environment.filters["rights"] = lambda text: (
        "public domain" if text == "public_domain" else text
    )
    return environment
