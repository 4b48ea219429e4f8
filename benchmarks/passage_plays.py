"""Texts for the passage benchmark, out of plays in TEI as the DraCor corpora keep them.

    python -m benchmarks.passage_plays --tei gerdracor/tei --out DIR --count 30

DraCor (Fischer et al., "Programmable Corpora", 2019; https://dracor.org) has plays of many
languages, one file each. A speech becomes a block of its speaker's name in capitals and its lines;
headings and stage directions become blocks of their own; front matter, notes and page numbers are
left out. Of a folder, `--count` plays are taken, evenly spread over its files by name.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, parse

TEI = "{http://www.tei-c.org/ns/1.0}"
_LEFT_OUT = frozenset({"front", "back", "note", "figure", "fw", "castList", "teiHeader"})
_LINES = frozenset({"l", "p", "ab"})
_BLOCKS = frozenset({"head", "stage"})


def blocks_of(tei: Path) -> list[str]:
    """Blocks of a play, in order.

    Raises:
        ValueError: if it is not a play in TEI.
    """
    try:
        root = parse(tei).getroot()
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(f"{tei} is not XML ({error}).") from error
    body = root.find(f"{TEI}text/{TEI}body")
    if body is None:
        raise ValueError(f"{tei} has no text in TEI.")
    return [block for block in _blocks(body) if block]


def _blocks(element: Any) -> Iterator[str]:
    for child in element:
        name = _name(child)
        if name in _LEFT_OUT:
            continue
        if name == "sp":
            cue = " ".join(_said(s) for s in child.iterfind(f"{TEI}speaker")).strip(" .:").upper()
            lines = list(_lines(child))
            yield "\n".join([cue, *lines]) if cue and lines else "\n".join(lines)
        elif name in _BLOCKS or name in _LINES:
            yield _said(child)
        else:
            yield from _blocks(child)


def _lines(speech: Any) -> Iterator[str]:
    """A speech's lines; a direction inside it is in brackets."""
    for child in speech:
        name = _name(child)
        if name == "speaker" or name in _LEFT_OUT:
            continue
        if name in _LINES:
            line = _said(child)
        elif name == "stage":
            line = f"({_said(child).strip('() ')})"
        else:
            yield from _lines(child)
            continue
        if line.strip("() "):
            yield line


def _said(element: Any) -> str:
    """Text of an element and of what is in it, on one line."""
    parts = [element.text or ""]
    for child in element:
        if _name(child) not in _LEFT_OUT:
            parts.append(_said(child) if len(child) or child.text else "")
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _name(element: Any) -> str:
    return str(element.tag).removeprefix(TEI)


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a text for each play."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tei", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=30, help="plays taken (default 30)")
    options = parser.parse_args(arguments)
    files = sorted(options.tei.glob("*.xml"))
    options.out.mkdir(parents=True, exist_ok=True)
    for file in files[:: max(1, len(files) // max(1, options.count))][: options.count]:
        text = "\n\n".join(blocks_of(file)) + "\n"
        (options.out / f"{file.stem}.txt").write_text(text, encoding="utf-8")
        print(f"{file.stem}: {len(text.split()):,} words")


if __name__ == "__main__":
    main()
