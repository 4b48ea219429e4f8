"""Reason templates: sentences that people pick instead of typing them, from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipeline.core.config_file import Section, read_config
from pipeline.core.wording.text import visible
from pipeline.decisions.events import Choice
from pipeline.decisions.texts import LONGEST_TEXT

MOST = 100


class ReasonTemplate(Section):
    """One template.

    Attributes:
        text: what it fills the field with.
        decisions: the decisions that it is offered for; empty for all.
    """

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    decisions: tuple[Choice, ...] = ()

    @field_validator("text")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must hold more than spaces")
        if visible(text, keep_newlines=True) != text:
            raise ValueError("must hold no characters that can't be seen")
        return text.strip()


class ReasonTemplates(Section):
    """A file of reason templates, as configs/reasons.yaml."""

    version: Literal[1]
    reasons: tuple[ReasonTemplate, ...] = Field(max_length=MOST)


def read_reasons(file: Path | None) -> tuple[ReasonTemplate, ...]:
    """The templates in a file, in its order; none if no file is named.

    Raises:
        ConfigError: if the file can't be read, or is not one of reason templates.
    """
    return () if file is None else read_config(file, ReasonTemplates).reasons
