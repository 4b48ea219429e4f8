"""The results of a run: written, checked and read back.

It imports `risk` and what it may import.
"""

from pipeline.results.files import read_run

__all__ = ["read_run"]
