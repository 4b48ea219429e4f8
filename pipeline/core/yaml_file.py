"""A YAML file as plain values with the line of each, refusing what would be read silently wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.errors import ConfigError
from pipeline.core.validation import Place, dotted

MAX_BYTES = 100_000
MAX_BRACKETS = 1000
"""Opening brackets: the reader takes time in the square of how deep they stand."""

PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True)
class YamlDocument:
    """What a YAML file says.

    Attributes:
        values: the outermost mapping.
        lines: line number (from 1) of each key and list item, by place.
        problems: sentences for faults that YAML itself allows: a key given twice, a number that
            is not finite.
    """

    values: dict[str, Any]
    lines: dict[Place, int]
    problems: tuple[str, ...]

    def where(self, place: Place) -> str:
        """`line N: ` for the line of `place`, or of what it stands in; empty if not known."""
        for length in range(len(place), 0, -1):
            line = self.lines.get(place[:length])
            if line is not None:
                return f"line {line}: "
        return ""


def read_yaml(path: Path) -> YamlDocument:
    """Reads the one mapping in the YAML file `path`.

    Raises:
        ConfigError: if there is no such file, it can't be read, is not UTF-8 or not YAML, is
            empty, or holds something else than a mapping.
    """
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
        reader = _Reader(text)
        values = reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        said = " ".join(str(error.problem or error.context or "").split())
        raise ConfigError(f"The configuration {path} is not YAML{line}: {said}.") from error
    except (yaml.YAMLError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"The configuration {path} is not YAML: {said}.") from error
    except RecursionError as error:
        raise ConfigError(f"The configuration {path} is nested too deeply to be one.") from error
    if values is None:
        raise ConfigError(
            f"The configuration {path} is empty; write at least “version: 1” to use the defaults."
        )
    if not isinstance(values, dict):
        raise ConfigError(
            f"The configuration {path} must be a mapping of names to values, as in "
            "configs/default.yaml."
        )
    return YamlDocument(values, reader.lines, tuple(reader.problems))


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


class _Reader:
    """Builds plain values from YAML nodes, noting lines and faults on the way."""

    def __init__(self, text: str) -> None:
        self.loader = yaml.SafeLoader(text)
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []

    def document(self) -> Any:
        node = self.loader.get_single_node()
        return None if node is None else self._value(node, ())

    def _value(self, node: yaml.Node, place: Place) -> Any:
        if isinstance(node, yaml.MappingNode | yaml.SequenceNode) and node.tag not in PLAIN_TAGS:
            raise yaml.MarkedYAMLError(
                problem=f"the tag {node.tag} is not supported", problem_mark=node.start_mark
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*place, i)) for i, item in enumerate(node.value)]
        value = self.loader.construct_document(node)
        if isinstance(value, float) and not math.isfinite(value):
            line = node.start_mark.line + 1
            self.problems.append(f"line {line}: {dotted(place)} must be a finite number.")
            return None
        # A date or another of YAML's own types stands as it is written.
        return value if isinstance(value, str | int | float | None) else str(node.value)

    def _item(self, node: yaml.Node, place: Place) -> Any:
        self.lines[place] = node.start_mark.line + 1
        return self._value(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            # As written: YAML itself would read a key `on` as true.
            key = str(key_node.value)
            here = (*place, key)
            line = key_node.start_mark.line + 1
            if here in self.lines:
                self.problems.append(
                    f"line {line}: {dotted(here)} is given twice, first in line {self.lines[here]}."
                )
                continue
            self.lines[here] = line
            mapping[key] = self._value(value_node, here)
        return mapping
