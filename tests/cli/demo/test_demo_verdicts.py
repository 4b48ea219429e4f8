"""The demo's conclusions name each way in which a row can be wrong."""

from __future__ import annotations

import pytest

from pipeline.cli.demo.material import Planted, Truth
from pipeline.cli.demo.verdicts import VerdictKind, conclusions, judge, verdicts


def file(truth: Truth, path: str = "a.png") -> Planted:
    return Planted(path, "a thing", truth, "W1" if truth is Truth.COPY else None, lambda: b"")


@pytest.mark.parametrize(
    ("truth", "band", "work_id", "kind"),
    [
        (Truth.COPY, "escalate", "W1", VerdictKind.FOUND),
        (Truth.COPY, "review", "W1", VerdictKind.FOUND),
        (Truth.COPY, "review", "W2", VerdictKind.OTHER_WORK),
        (Truth.COPY, "info", "W1", VerdictKind.FAINT),
        (Truth.COPY, "info", "W2", VerdictKind.MISSED),
        (Truth.COPY, "no_match", None, VerdictKind.MISSED),
        (Truth.COPY, "not_screened", None, VerdictKind.MISSED),
        (Truth.UNRELATED, "no_match", None, VerdictKind.NOTHING),
        (Truth.UNRELATED, "info", "W1", VerdictKind.FAINT),
        (Truth.UNRELATED, "review", "W1", VerdictKind.FALSE_ALARM),
        (Truth.UNRELATED, "escalate", "W1", VerdictKind.FALSE_ALARM),
        (Truth.UNRELATED, "partly_screened", None, VerdictKind.NOT_JUDGED),
        (Truth.UNJUDGEABLE, "not_screened", None, VerdictKind.NOT_JUDGED),
        (Truth.UNJUDGEABLE, "partly_screened", None, VerdictKind.NOT_JUDGED),
        (Truth.UNJUDGEABLE, "no_match", None, VerdictKind.MISJUDGED),
        (Truth.UNJUDGEABLE, "review", "W1", VerdictKind.MISJUDGED),
    ],
)
def test_judge(truth: Truth, band: str, work_id: str | None, kind: VerdictKind) -> None:
    assert judge(file(truth), band, work_id) is kind


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
    assert "Not found: lost.png (a thing): its row is in the band no_match." in text
    assert "wrong.png (a thing): flagged, but for W2 instead of W1." in text
    assert "Unrelated files: 2, of which 1 flagged" in text
    assert "Flagged wrongly: alarm.png" in text
    assert "can't be judged: 2, of which 1 has a row that says so" in text
    assert "misjudged.png" in text
    assert "quiet.png" not in text


def test_a_table_that_lost_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="exactly the files"):
        verdicts([file(Truth.COPY)], {})
