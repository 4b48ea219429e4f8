"""Texts of another language, out of the message catalogues that a system's programs ship.

    python -m benchmarks.passage_messages --catalogues /usr/share/locale/de/LC_MESSAGES --out DIR

Translators wrote them, so they are real sentences, though not a play's: each catalogue becomes one
text, its longer messages, in an order by chance, the speeches of made-up speakers. (In their own
order, the alphabet's, messages of one form would stand together as they do in no script.) A message
that stands in several catalogues is left out. Feed DIR to `benchmarks.passages --language`.
"""

from __future__ import annotations

import argparse
import re
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.passage_disguises import NAMES
from benchmarks.passage_texts import drawn, plain_words

LEAST_MESSAGE = 5
"""Words of the shortest message that is taken."""
LEAST_CATALOGUE = 5000
"""Words of the shortest text that is made."""
SPEECH_WORDS = 25

_FORMAT = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?(?:\d+\$)?[a-zA-Z]+|%\([^)]*\)[a-z]|\{[^}]*\}|\\[a-z]")


def entries_of(catalogue: bytes) -> list[tuple[str, str]]:
    """Every message of a .mo file with its translation (GNU gettext manual, 10.3).

    Raises:
        ValueError: if it is no such file, or not in UTF-8.
    """
    order = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}.get(catalogue[:4])
    if order is None:
        raise ValueError("not a message catalogue")
    try:
        count, originals, translations = struct.unpack_from(f"{order}3I", catalogue, 8)
        found = []
        for number in range(count):
            both = []
            for table in (originals, translations):
                length, start = struct.unpack_from(f"{order}2I", catalogue, table + 8 * number)
                # Forms of the plural stand behind the first, which is enough.
                both.append(catalogue[start : start + length].split(b"\0")[0].decode("utf-8"))
            found.append((both[0], both[1]))
    except struct.error as error:
        raise ValueError("a message catalogue that ends early") from error
    return found


def messages_of(catalogue: Path) -> list[str]:
    """Its translated messages of `LEAST_MESSAGE` words and more; none if it can't be read."""
    try:
        entries = entries_of(catalogue.read_bytes())
    except (OSError, ValueError):
        return []
    found = []
    for original, said in entries:
        shown = "".join(c if c.isprintable() else " " for c in said)
        text = " ".join(_FORMAT.sub(" ", shown).replace("_", "").split())
        if original and text != original and len(plain_words(text)) >= LEAST_MESSAGE:
            found.append(text)
    return list(dict.fromkeys(found))


def as_play(messages: Sequence[str], key: str) -> str:
    """Messages as speeches, a few to each, by speakers that take turns by chance."""
    rng = np.random.default_rng(drawn(0, "messages", key))
    cast = [name.upper() for name in rng.permutation(NAMES)[:7].tolist()]
    speeches, lines, words = [], [], 0
    for place in rng.permutation(len(messages)).tolist():
        message = messages[place]
        lines.append(message)
        words += len(plain_words(message))
        if words >= SPEECH_WORDS:
            speeches.append("\n".join([cast[int(rng.integers(len(cast)))], *lines]))
            lines, words = [], 0
    return "\n\n".join(speeches) + "\n"


def main(given: Sequence[str] | None = None) -> None:
    """Writes a text for each catalogue that is long enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--catalogues", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(given)
    files = sorted(file for folder in options.catalogues for file in folder.glob("*.mo"))
    read = {file.stem: messages_of(file) for file in files}
    often = Counter(message for messages in read.values() for message in messages)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, messages in read.items():
        own = [message for message in messages if often[message] == 1]
        text = as_play(own, name)
        words = len(plain_words(text))
        if words >= LEAST_CATALOGUE:
            (options.out / f"{name}.txt").write_text(text, encoding="utf-8")
            print(f"{name}: {words:,} words")


if __name__ == "__main__":
    main()
