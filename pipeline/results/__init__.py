"""What a run leaves on disk, and reads back.

It imports `risk` and what it may import.
"""

from pipeline.results.files import read_run

__all__ = ["read_run"]
