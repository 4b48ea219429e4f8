"""The command line, run in the tests' process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from pipeline.cli import app


@dataclass(frozen=True)
class Answer:
    """What a command line gave."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object that `--json` promises."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard error as the JSON lines that `--log-json` promises."""
        return [json.loads(line) for line in self.stderr.splitlines()]


def clearance(*words: object) -> Answer:
    """Runs the command as the installed script would; what it does not catch is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)
