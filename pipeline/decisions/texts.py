"""Names of people and texts of the record: as entered, as stored, as compared."""

from __future__ import annotations

import unicodedata
from typing import Any

import regex

from pipeline.core.errors import RecordError
from pipeline.core.wording.text import visible

# Beyond what `visible` escapes: joiners, fillers and variation selectors, of any category, and the
# blank braille pattern.
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u2800]")

LONGEST_NAME = 200
LONGEST_TEXT = 20_000


def person_name(name: str, *, what: str = "The name of who does this") -> str:
    """A person's name as the record stores it: normalised (NFC) and stripped.

    Raises:
        RecordError: if it is empty, too long, or has invisible characters: with these, two
            different names would look the same.
    """
    normal = unicodedata.normalize("NFC", name).strip()
    if not normal:
        raise RecordError(f"{what} is missing; the record holds who did what.")
    if len(normal) > LONGEST_NAME:
        raise RecordError(f"{what} has more than {LONGEST_NAME} characters.")
    if visible(normal) != normal:
        raise RecordError(f"{what} holds characters that can't be seen: {visible(normal)}")
    if (invisible := _INVISIBLE.search(normal)) is not None:
        raise RecordError(f"{what} holds a character that can't be seen: U+{ord(invisible[0]):04X}")
    return normal


def same_person(one: str, other: str) -> bool:
    """Whether two names are the same person's, ignoring case and compatibility forms."""
    return folded_name(one) == folded_name(other)


def folded_name(name: str) -> str:
    """A name for comparison: equal for all spellings of one person's name.

    Compatibility caseless matching (Unicode 3.13, D146). Case folding can undo normalisation and
    the other way round, so each is applied twice.
    """
    once = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", name).casefold())
    return " ".join(unicodedata.normalize("NFKC", once.casefold()).split())


def clean_text(text: str, what: str) -> str:
    """A reason, note or comment as the record stores it: with line feeds, stripped.

    Raises:
        RecordError: if it is too long, or holds what can't be stored as text.
    """
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(clean) > LONGEST_TEXT:
        raise RecordError(f"The {what} has more than {LONGEST_TEXT:,} characters.")
    if "\x00" in clean or any("\ud800" <= c <= "\udfff" for c in clean):
        raise RecordError(f"The {what} holds a character that can't be stored as text.")
    return clean


def stored_text(value: Any, what: str) -> str:
    """A stored value, if it is text.

    Raises:
        TypeError: if it is not.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} is not text")
    return value


def stored_texts(value: Any, what: str) -> tuple[str, ...]:
    """A stored value, if it is a list of texts, none of them empty.

    Raises:
        TypeError: if it is not.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise TypeError(f"{what} is not text")
    return tuple(value)
