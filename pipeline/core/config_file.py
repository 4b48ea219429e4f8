"""Configuration files: YAML as a frozen pydantic model, with every fault of the file and its line.

What YAML itself would accept silently is refused: a key given twice, a number that is not finite,
aliases and tags, and keys or values that YAML would turn into something else than what is written.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.core.errors import ConfigError
from pipeline.core.validation import Location, dotted, validation_problems

MAX_BYTES = 100_000
MAX_BRACKETS = 1000
"""Opening brackets: PyYAML's time grows with the square of how deeply they are nested."""

_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Section(BaseModel):
    """Base of every section of a configuration: frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


M = TypeVar("M", bound=BaseModel)


def read_config(path: Path, model: type[M]) -> M:
    """The YAML file `path` as a `model`.

    Raises:
        ConfigError: if it can't be read, is not UTF-8 or not YAML, is empty, holds something else
            than a mapping, or does not fit the model; `problems` lists every fault of the values,
            in the order of the file's lines.
    """
    document = _read(path)
    problems = list(document.problems)
    try:
        # Strict, and as JSON: no number is read from a string, and a tuple may be given as a list.
        config = model.model_validate_json(json.dumps(document.values), strict=True)
        if not problems:
            return config
    except ValidationError as error:
        problems += validation_problems(error, model, document.line_prefix)
    problems.sort(key=document.line_of)
    count = "a fault" if len(problems) == 1 else f"{len(problems)} faults"
    listed = "\n".join(f"  - {problem}" for problem in problems)
    raise ConfigError(f"The configuration {path} has {count} and was not used:\n{listed}", problems)


class _Document:
    """A YAML file as plain values.

    Attributes:
        values: of the outermost mapping; None if the file is empty.
        lines: line number (from 1) of each key and list item, by location.
        problems: sentences for faults that YAML itself allows.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[str] = []
        self._loader = yaml.SafeLoader(text)
        root = self._loader.get_single_node()
        self.values = None if root is None else self._value(root, ())

    def line_prefix(self, location: Location) -> str:
        """`line N: ` for the line of a value, or of the innermost one around it that has a line."""
        for length in range(len(location), 0, -1):
            line = self.lines.get(location[:length])
            if line is not None:
                return f"line {line}: "
        return ""

    def line_of(self, problem: str) -> int:
        """The line that a problem names; one that names none comes last."""
        number = problem.removeprefix("line ").partition(":")[0]
        return int(number) if number.isdigit() else len(self.lines)

    def _value(self, node: yaml.Node, location: Location) -> Any:
        if isinstance(node, yaml.MappingNode | yaml.SequenceNode) and node.tag not in _PLAIN_TAGS:
            raise yaml.MarkedYAMLError(
                problem=f"the tag {node.tag} is not supported", problem_mark=node.start_mark
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*location, i)) for i, item in enumerate(node.value)]
        value = self._loader.construct_document(node)
        if isinstance(value, float) and not math.isfinite(value):
            line = node.start_mark.line + 1
            self.problems.append(f"line {line}: {dotted(location)} must be a finite number.")
            return None
        # A date or another of YAML's own types stays as it is written.
        return value if isinstance(value, str | int | float | None) else str(node.value)

    def _item(self, node: yaml.Node, location: Location) -> Any:
        self.lines[location] = node.start_mark.line + 1
        return self._value(node, location)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            # As written: YAML itself would read a key `on` as true.
            key = str(key_node.value)
            inner = (*location, key)
            line = key_node.start_mark.line + 1
            if inner in self.lines:
                self.problems.append(
                    f"line {line}: {dotted(inner)} is given twice, first in line "
                    f"{self.lines[inner]}."
                )
                continue
            self.lines[inner] = line
            mapping[key] = self._value(value_node, inner)
        return mapping


def _read(path: Path) -> _Document:
    text = _text(path)
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise ConfigError(
            f"The configuration {path} has more than {MAX_BRACKETS:,} brackets; it can't be one."
        )
    try:
        # An alias could repeat a part without bound, or contain itself; settings need none.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(
                    f"The configuration {path} uses the YAML alias *{event.anchor}, which is not "
                    "supported; write the value out."
                )
        document = _Document(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        message = " ".join(str(error.problem or error.context or "").split())
        raise ConfigError(f"The configuration {path} is not YAML{line}: {message}.") from error
    except (yaml.YAMLError, ValueError) as error:
        message = " ".join(str(error).split())
        raise ConfigError(f"The configuration {path} is not YAML: {message}.") from error
    except RecursionError as error:
        raise ConfigError(f"The configuration {path} is nested too deeply to be one.") from error
    if document.values is None:
        raise ConfigError(
            f"The configuration {path} is empty; write at least “version: 1” to use the defaults."
        )
    if not isinstance(document.values, dict):
        raise ConfigError(
            f"The configuration {path} must be a mapping of names to values, as in "
            "configs/default.yaml."
        )
    return document


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ConfigError(f"{path} is a pipe or a device; name a configuration file.")
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                f"The configuration {path} is larger than {MAX_BYTES:,} bytes; it can't be one."
            )
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no configuration file {path}; name one that exists."
        ) from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder; name a configuration file.") from error
    except OSError as error:
        raise ConfigError(
            f"The configuration file {path} can't be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"The configuration {path} is not UTF-8 (byte {error.start}); save it as UTF-8."
        ) from error
