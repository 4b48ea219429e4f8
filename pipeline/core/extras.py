"""The optional extras of Clearance: what each is for, and how one that is missing is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra of pyproject.toml.

    Attributes:
        purpose: what it is for, as the object of "lacks".
        modules: what is imported of it.
    """

    purpose: str
    modules: tuple[str, ...]

    def missing(self) -> tuple[str, ...]:
        """Those of its modules that are not installed; nothing is imported."""
        return tuple(name for name in self.modules if find_spec(name) is None)


EXTRAS: Mapping[str, Extra] = {
    "cloud": Extra("drops and results in object storage (s3://)", ("s3fs",)),
    "excel": Extra("manifests that are Excel workbooks", ("openpyxl",)),
    "notebook": Extra("the notebooks", ("ipykernel", "jupytext", "notebook")),
    "notify": Extra("notifications of nightly scans", ("apprise",)),
    "postgresql": Extra("a record of decisions in PostgreSQL", ("psycopg",)),
    "review": Extra(
        "the review page and the record of decisions",
        ("argon2", "cryptography", "fastapi", "python_multipart", "sqlalchemy", "uvicorn"),
    ),
}
"""By name. `tests/core/test_extras.py` compares them with pyproject.toml."""


def needs_extra(what: str, extra: str, module: str | None = None) -> str:
    """The sentence for something that can't be done without an extra.

    Clearance is installed from its source: a package index may hold a stranger's package of the
    same name, so no sentence says `pip install clearance`.

    Args:
        what: what needs it, as the subject of a sentence.
        extra: its name.
        module: what is not installed, if it is known.
    """
    why = f" ({module} is not installed)" if module else ""
    return (
        f"{what} needs the extra `{extra}`{why}: run `pip install '.[{extra}]'` in Clearance's "
        "source folder."
    )
