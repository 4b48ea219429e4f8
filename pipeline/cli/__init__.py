"""The command `clearance`: commands, terminal, demo.

It may import every other package; none imports it.
"""

from pipeline.cli.main import app, main

__all__ = ["app", "main"]
