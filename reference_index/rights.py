"""The labels for your rights to a work, and the spellings of them that are understood."""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata
from collections.abc import Mapping

LABELS = ("protected", "licensed", "own", "public_domain")
"""The labels that the index stores; `pipeline.risk` treats works by them."""

_SPELLINGS = {
    "protected": (
        "protected",
        "copyright",
        "copyrighted",
        "in copyright",
        "under copyright",
        "all rights reserved",
        "©",
        "(c)",
    ),
    "licensed": (
        "licensed",
        "licenced",
        "license",
        "licence",
        "under license",
        "under licence",
        "in license",
        "in licence",
    ),
    "own": ("own", "owned", "our own", "ours", "own work", "own works"),
    "public_domain": ("public domain", "publicdomain", "in the public domain", "pd", "cc0"),
}
_LABEL_OF = {text: label for label, texts in _SPELLINGS.items() for text in texts}


def rights_label(text: str, own_words: Mapping[str, str] | None = None) -> str | None:
    """The label that a cell means; None if it is not understood.

    Upper and lower case, blanks, hyphens, underscores and a full stop at the end make no
    difference.

    Args:
        text: as written.
        own_words: labels by further words for them.
    """
    words = {_plain(word): label for word, label in (own_words or {}).items()}
    plain = _plain(text)
    return words.get(plain) or _LABEL_OF.get(plain)


def rights_fault(text: str) -> str:
    """Why a cell that is not understood can't be used, as part of a sentence."""
    near = difflib.get_close_matches(_plain(text), _LABEL_OF, 1, 0.7)
    label = _LABEL_OF[near[0]] if near else None
    meant = f" (the nearest is {label})" if label else ""
    option = shlex.quote(f"{text}={label or 'licensed'}")
    return (
        f"rights is {text!r}, which is none of {', '.join(LABELS)}{meant}; write one of these, or "
        f"say what it means, such as --rights {option}"
    )


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s_-]+", " ", folded).strip().rstrip(".").rstrip()
