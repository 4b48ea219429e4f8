"""Texts of another language, out of the message catalogues that a system's programs ship.

    python -m benchmarks.passage_messages --catalogues /usr/share/locale/de/LC_MESSAGES --out DIR

Translators wrote them, so they are real sentences, though not a play's: each catalogue becomes one
text, its longer messages in order as the speeches of made-up speakers. A message that stands in
several catalogues is left out, as are all but words. Feed DIR to `benchmarks.passages --language`.
"""

from __future__ import annotations

import argparse
import gettext
import re
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


def messages_of(catalogue: Path) -> list[str]:
    """Every translated message of a .mo file, of `LEAST_MESSAGE` words and more, in order of the
    original; none if it can't be read."""
    try:
        with catalogue.open("rb") as stream:
            read = gettext.GNUTranslations(stream)
    except (OSError, ValueError, UnicodeDecodeError):
        return []
    found = []
    # The catalogue as a mapping has no public name in the library.
    for original, said in sorted(vars(read)["_catalog"].items(), key=lambda item: str(item[0])):
        text = " ".join(_FORMAT.sub(" ", said).replace("_", "").split())
        if original and text != original and len(plain_words(text)) >= LEAST_MESSAGE:
            found.append(text)
    return list(dict.fromkeys(found))


def as_play(messages: Sequence[str], key: str) -> str:
    """Messages as speeches, a few to each, by speakers that take turns by chance."""
    rng = np.random.default_rng(drawn(0, "messages", key))
    cast = [name.upper() for name in rng.permutation(NAMES)[:7].tolist()]
    speeches, lines, words = [], [], 0
    for message in messages:
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
