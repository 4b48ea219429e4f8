"""The demo: registers works, screens a drop, and compares the result with the ground truth.

`run_demo` runs all of it. `material` writes the works and the drop, `edits` makes its pictures, and
`verdicts` compares the rows of the run with the truth.
"""

from pipeline.cli.demo.run import run_demo

__all__ = ["run_demo"]
