"""The demo: real works registered, a real drop screened, the result held against the truth.

`run_demo` is the whole of it. `material` makes the works and the drop, `edits` the pictures in
it, and `verdicts` compares what a run said with what the demo knows of its own files.
"""

from pipeline.cli.demo.run import run_demo

__all__ = ["run_demo"]
