"""How long the review page's queue takes over a large table.

    python -m benchmarks.review_queue --rows 100000 --decisions 2000

A made-up run and record are written to a temporary folder and served in this process. Each request
is a first page as a browser asks for it, filtering, counting and HTML included; the longest and the
median of several are printed in milliseconds.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from fastapi.testclient import TestClient

from pipeline.core.records import Band, Outcome
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice, Rules
from pipeline.decisions.record import Record
from pipeline.drops.places import place
from pipeline.results.files import StoredRun
from pipeline.results.table import match_schema, passage_schema, risk_table_schema
from pipeline.review.access.sessions import Access, Person, Role
from pipeline.review.app import create_app
from pipeline.review.opening import freeze_garbage_collector
from pipeline.review.review_session import ReviewSession
from pipeline.stages import STAGES

HOST = "127.0.0.1:8417"
REPEATS = 7
WORDS = ("harbour", "cat", "night", "orchard", "signal", "glass", "winter", "tram", "lot", "plate")
SHARES = (0.03, 0.1, 0.17, 0.05, 0.05, 0.6)


def made_up(rows: int, works: int, seed: int = 7) -> StoredRun:
    """A run of so many rows, most of them without a match."""
    chance = random.Random(seed)
    bands = chance.choices(list(Band), SHARES, k=rows)
    records = []
    for number, band in enumerate(bands):
        flagged = band in (Band.ESCALATE, Band.REVIEW, Band.INFO)
        work = int(works * chance.random() ** 3) if flagged else None
        outcome = Outcome.MATCHED if flagged else Outcome.NO_MATCH
        records.append(
            {
                "asset_path": f"show-{number % 9}/seq {number % 120:03d}/"
                f"{chance.choice(WORDS)}_{chance.choice(WORDS)}_{number:06d}.png",
                "asset_id": hashlib.sha256(str(number).encode()).hexdigest(),
                "kind": "image",
                "band": str(band),
                "risk": None if band is Band.NOT_SCREENED else chance.random(),
                "work_id": None if work is None else f"W-{work:05d}",
                "title": None if work is None else f"The {chance.choice(WORDS)} of {work}",
                "rightsholder": None if work is None else f"Holder {work % 700}",
                "reasons": "Needs review: evidence of copying from a work.\nThe outlines agree.",
                "other_works": 0,
                **{f"outcome_{name}": str(outcome) for name in STAGES},
                "works_compared": works,
                "index_version": 3,
                "index_digest": "d" * 64,
                "config_fingerprint": "c" * 64,
                "run_id": "20300101T000000Z-00000000",
            }
        )
    table = pa.Table.from_pylist(records, schema=risk_table_schema())
    empty = match_schema().empty_table(), passage_schema().empty_table()
    return StoredRun(place("."), {"run_id": "made up", "drop": "made up"}, table, *empty)


def decide(record: Record, stored: StoredRun, decisions: int) -> None:
    """Decisions on the first rows, by two people in turn."""
    record.set_rules("dora", Rules(second_person=()))
    choices = [choice for choice in Choice if choice is not Choice.FALSE_MATCH]
    for number, row in enumerate(stored.risk_rows.slice(0, decisions).to_pylist()):
        who, choice = ("anna", "bob")[number % 2], choices[number % len(choices)]
        record.decide(who, Basis.of_row(row), choice, reason="looked", assignee=who)


QUERIES = (
    "",
    *(f"band={band}" for band in Band),
    "band=escalate&band=review&status=open",
    "status=agreed",
    "choice=replace",
    "work_id=W-00001",
    "work_id=-",
    "rightsholder=Holder+1",
    "stage=perceptual_hash",
    "stage=clip_embedding&outcome=no_match",
    "folder=show-1",
    "folder=show-1/seq+100",
    "assignee=anna",
    "assignee=-",
    "q=cat",
    "q=winter+tram+show-3",
    "q=nothing+like+it",
    "band=review&folder=show-4&q=glass",
    *(
        f"sort={name}&order={order}"
        for name in ("path", "risk", "work", "rightsholder", "folder", "status", "assignee")
        for order in ("asc", "desc")
    ),
    "page=1000",
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--works", type=int, default=20_000)
    parser.add_argument("--decisions", type=int, default=2_000)
    given = parser.parse_args()
    stored = made_up(given.rows, given.works)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record.sqlite"
        began = time.perf_counter()
        decide(Record.open(file, create=True), stored, given.decisions)
        print(f"{given.decisions:,} decisions written in {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        review = ReviewSession(stored, file)
        print(f"{given.rows:,} rows opened in {time.perf_counter() - began:.1f} s")
        access = Access(local=Person("dora", Role.APPROVER), hosts=frozenset({HOST}))
        client = TestClient(
            create_app(review, access), base_url=f"http://{HOST}", headers={"accept": "text/html"}
        )
        freeze_garbage_collector()
        assert client.get("/enter", params={"token": access.token}).status_code == 200
        print(
            f"\n| query | rows | median ms | longest of {REPEATS}, ms |\n"
            "| --- | ---: | ---: | ---: |"
        )
        worst = 0.0
        for query in QUERIES:
            taken = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                answer = client.get(f"/?{query}")
                taken.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200
            total = client.get(f"/?{query}", headers={"accept": "application/json"}).json()["total"]
            worst = max(worst, *taken)
            print(f"| `{query}` | {total:,} | {statistics.median(taken):.0f} | {max(taken):.0f} |")
        print(f"\nLongest: {worst:.0f} ms")


if __name__ == "__main__":
    main()
