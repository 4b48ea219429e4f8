"""Disguises of the layout: a whole script set anew, with furniture of pages or parted words."""

from __future__ import annotations

import re

import numpy as np

from benchmarks.passage_disguises import Tracked
from benchmarks.passage_texts import cue_length

PAGE_LINES = 54
CUE_INDENT, SPEECH_INDENT = 22, 10
_BLOCK = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")

Edit = tuple[int, int, str]


def re_flowed(script: Tracked, rng: np.random.Generator) -> Tracked:
    """Lines of another width, speeches and cues set in, pages with (MORE), (CONT'D) and numbers."""
    return _Setter(script, rng, pages=True, hyphens=False).set()


def hyphenated(script: Tracked, rng: np.random.Generator) -> Tracked:
    """Narrow lines, at whose ends words are parted by a hyphen."""
    return _Setter(script, rng, pages=False, hyphens=True).set()


class _Setter:
    """Sets one script, line after line."""

    def __init__(
        self, script: Tracked, rng: np.random.Generator, *, pages: bool, hyphens: bool
    ) -> None:
        self.script, self.pages, self.hyphens = script, pages, hyphens
        self.width = int(rng.integers(34, 44) if hyphens else rng.integers(30, 62))
        self.line, self.page = 0, int(rng.integers(1, 90))
        self.edits: list[Edit] = []

    def set(self) -> Tracked:
        text = self.script.text
        for block in _BLOCK.finditer(text):
            cue = cue_length(block.group())
            body = block.start() + cue
            if cue and not self.hyphens:
                self.edits.append((block.start(), block.start(), " " * CUE_INDENT))
            indent = " " * SPEECH_INDENT if cue and not self.hyphens else ""
            if indent:
                self.edits.append((body, body, indent))
            self.line += 2
            self._body(body, block.end(), indent, text[block.start() : body].strip())
        return self.script.replaced(self.edits)

    def _body(self, start: int, end: int, indent: str, name: str) -> None:
        text, column, before = self.script.text, 0, -1
        for word in re.finditer(r"\S+", text[start:end]):
            first, last = start + word.start(), start + word.end()
            length = last - first
            if before < 0:
                column = length
            elif column + 1 + length <= self.width:
                self.edits.append((before, first, " "))
                column += 1 + length
            else:
                room = self.width - column - 2
                cut = self._cut(first, last, room)
                if cut:
                    self.edits += [(before, first, " "), (cut, cut, f"-\n{indent}")]
                    column, self.line = last - cut, self.line + 1
                else:
                    self.edits.append((before, first, self._line_end(indent, name)))
                    column = length
            before = last

    def _cut(self, first: int, last: int, room: int) -> int:
        """Where a word is parted so that its first part fits; 0 if it is not."""
        word = self.script.text[first:last]
        letters = re.match(r"[^\W\d_]+", word)
        if not self.hyphens or letters is None or len(letters.group()) < 5:
            return 0
        most = min(room, len(letters.group()) - 2)
        return first + most if most >= 2 else 0

    def _line_end(self, indent: str, name: str) -> str:
        self.line += 1
        if not self.pages or self.line < PAGE_LINES:
            return f"\n{indent}"
        self.line, self.page = 2, self.page + 1
        more = " " * CUE_INDENT
        if not name:
            return f"\n\n{' ' * 58}{self.page}.\n\n"
        return f"\n{more}(MORE)\n\n{' ' * 58}{self.page}.\n\n{more}{name} (CONT'D)\n{indent}"
