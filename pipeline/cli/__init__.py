"""The command line `clearance`: its commands, their text output, the demo.

It may import every other package; none imports it.
"""

from pipeline.cli.main import app, main

__all__ = ["app", "main"]
