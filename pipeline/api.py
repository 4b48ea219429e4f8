"""The public interface for programs and notebooks: `from pipeline import screen, load_run`.

Everything else may change between versions, but for what docs/api.md names; it has examples.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.drops.places import place
from pipeline.report.notebook import Run, load_run
from pipeline.results import read_run

__all__ = ["Run", "load_run", "place", "read_run", "screen"]


def screen(
    drop: str | Path,
    index: str | Path,
    out: str | Path,
    *,
    config: str | Path | None = None,
    index_version: int | None = None,
    record: str | Path | None = None,
    replace: bool = False,
) -> Run:
    """Screens a drop as `clearance screen` does, and opens its results.

    Args:
        drop: a folder of assets, one file, or s3://BUCKET/PREFIX.
        index: the folder of the reference index.
        out: where the results are written: a folder, or s3://BUCKET/PREFIX.
        config: a configuration, such as configs/strict.yaml; the default one if not given.
        index_version: an earlier version of the index, to repeat a run.
        record: a record of decisions (docs/record.md): its false matches and rules suppress
            matches.
        replace: replace results of another drop in `out`, or files there that no run wrote; results
            with a record of decisions are moved to `OUT.RUN_ID`.

    Raises:
        ScreeningError: (`reference_index.errors`) if it can't be done; its message says what is
            wrong, where, and how to fix it.
    """
    from pipeline.screening.screen import screen as run

    target = place(out)
    run(
        place(drop),
        Path(index),
        target,
        config=Path(config) if config is not None else None,
        index_version=index_version,
        record=record,
        replace=replace,
    )
    return load_run(target)
