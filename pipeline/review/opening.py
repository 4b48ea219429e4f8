"""Opening a run for the review page: at its start, and later the newer run in its place."""

from __future__ import annotations

import gc
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import RecordError, ScreeningError
from pipeline.core.records import Band
from pipeline.drops.places import Place, place
from pipeline.results.files import read_run, results_folder
from pipeline.review.newer import NewerRun
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes.item import warm


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where the page finds its run and its record.

    Attributes:
        out: a folder of results, a scan directory, or s3://BUCKET/PREFIX.
        record: the record's place, if it is not beside the results.
        second_person: bands whose rows two people decide on; None keeps the record's rules.
        starter: who started the page.
    """

    out: str
    record: str | None
    second_person: tuple[Band, ...] | None
    starter: str

    def record_place(self, results: Place) -> str | Path:
        """The record's place for results.

        Raises:
            RecordError: if they are in object storage, and no record is named.
        """
        if self.record is not None:
            return self.record
        if isinstance(results, Path):
            return results
        raise RecordError(
            f"{self.out} is object storage, which can't hold a record: give --record."
        )

    def opened(self, *, again: bool = False) -> tuple[ReviewSession, NewerRun | None]:
        """The run that is there now with its record, and what watches for a newer one.

        Args:
            again: whether the page is running already. The rules for a second person, which were
                set as it was started and may have been changed since, are then left as they are,
                unless there is no record yet.

        Raises:
            RunError: if the results can't be read.
            RecordError: if the record can't be used.
        """
        results = results_of(self.out)
        stored = read_run(results)
        out = place(self.out)
        run_id = str(stored.run.get("run_id") or "?")
        newer = NewerRun(out, run_id) if isinstance(out, Path) else None
        review = ReviewSession(
            stored,
            self.record_place(results),
            second_person=self.second_person,
            starter=self.starter,
            keep_rules=again,
        )
        freeze_garbage_collector()
        threading.Thread(target=_warm_up, args=(review,), daemon=True).start()
        return review, newer


def results_of(out: str) -> Place:
    """The folder of results; for a scan directory that of its latest scan, links resolved."""
    results = results_folder(place(out))
    # The next scan points `latest` to another run; this page keeps showing this one.
    return Path(os.path.realpath(results)) if isinstance(results, Path) else results


def freeze_garbage_collector() -> None:
    """Exempts the loaded run and queue from garbage collection.

    They live long, and each full collection would pause a request by walking them (0.2 s at 100,000
    rows).
    """
    gc.collect()
    gc.freeze()


def _warm_up(review: ReviewSession) -> None:
    """Ignores errors: the item that needs what can't be opened shows them."""
    with suppress(ScreeningError, OSError):
        warm(review)
