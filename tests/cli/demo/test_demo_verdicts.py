"""The demo's last word must be honest: each way in which a row can be wrong is told as such."""

from __future__ import annotations

import pytest

from pipeline.cli.demo.material import Planted, Truth
from pipeline.cli.demo.verdicts import Said, conclusions, judge, verdicts


def file(truth: Truth, path: str = "a.png") -> Planted:
    return Planted(path, "a thing", truth, "W1" if truth is Truth.COPY else None, lambda: b"")


@pytest.mark.parametrize(
    ("truth", "band", "work_id", "said"),
    [
        (Truth.COPY, "escalate", "W1", Said.FOUND),
        (Truth.COPY, "review", "W1", Said.FOUND),
        (Truth.COPY, "review", "W2", Said.OTHER_WORK),
        (Truth.COPY, "info", "W1", Said.FAINT),
        (Truth.COPY, "info", "W2", Said.MISSED),
        (Truth.COPY, "no_match", None, Said.MISSED),
        (Truth.COPY, "not_screened", None, Said.MISSED),
        (Truth.UNRELATED, "no_match", None, Said.NOTHING),
        (Truth.UNRELATED, "info", "W1", Said.FAINT),
        (Truth.UNRELATED, "review", "W1", Said.FALSE_ALARM),
        (Truth.UNRELATED, "escalate", "W1", Said.FALSE_ALARM),
        (Truth.UNRELATED, "partly_screened", None, Said.NOT_JUDGED),
        (Truth.UNJUDGEABLE, "not_screened", None, Said.NOT_JUDGED),
        (Truth.UNJUDGEABLE, "partly_screened", None, Said.NOT_JUDGED),
        (Truth.UNJUDGEABLE, "no_match", None, Said.MISJUDGED),
        (Truth.UNJUDGEABLE, "review", "W1", Said.MISJUDGED),
    ],
)
def test_judge(truth: Truth, band: str, work_id: str | None, said: Said) -> None:
    assert judge(file(truth), band, work_id) is said


def row(band: str, work_id: str | None = None, risk: float | None = None) -> dict[str, object]:
    return {"band": band, "work_id": work_id, "risk": risk}


def test_conclusions_name_every_miss_and_false_alarm() -> None:
    planted = [
        file(Truth.COPY, "found.png"),
        file(Truth.COPY, "lost.png"),
        file(Truth.COPY, "wrong.png"),
        file(Truth.UNRELATED, "alarm.png"),
        file(Truth.UNRELATED, "quiet.png"),
        file(Truth.UNJUDGEABLE, "said.png"),
        file(Truth.UNJUDGEABLE, "misjudged.png"),
    ]
    rows = {
        "found.png": row("escalate", "W1", 0.9),
        "lost.png": row("no_match", None, 0.1),
        "wrong.png": row("review", "W2", 0.5),
        "alarm.png": row("review", "W1", 0.5),
        "quiet.png": row("no_match", None, 0.1),
        "said.png": row("not_screened"),
        "misjudged.png": row("no_match", None, 0.1),
    }
    sentences = conclusions(verdicts(planted, rows))
    text = "\n".join(sentences)
    assert "Found: 1 of 3 copies" in text
    assert "Not found: lost.png (a thing): its row stands in the band no_match." in text
    assert "wrong.png (a thing): flagged, but W2 was named in place of W1." in text
    assert "Unrelated files: 2, of which 1 flagged" in text
    assert "Flagged wrongly: alarm.png" in text
    assert "could judge: 2, of which 1 say so" in text
    assert "misjudged.png" in text
    assert "quiet.png" not in text


def test_a_table_that_lost_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="exactly the files"):
        verdicts([file(Truth.COPY)], {})
