"""Values of the scan cache as bytes: fingerprints as Arrow streams, outcomes as JSON.

Nothing is pickled. A value that can't be read back exactly is a `ValueError`, and its asset is
screened again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from pipeline.core.errors import Reason
from pipeline.core.records import (
    Abstention,
    Evidence,
    Fault,
    Fingerprint,
    Outcome,
    Passage,
    StageOutcome,
)
from pipeline.screening.run_files import Facts
from pipeline.screening.stage_runner import FingerprintResult


def packed_json(value: Any) -> bytes:
    """A JSON value, compressed; equal values give equal bytes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def unpacked_json(data: bytes) -> Any:
    """The inverse of `packed_json`. Raises ValueError if `data` is damaged."""
    try:
        return json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    except zlib.error as error:
        raise ValueError("cached values are damaged") from error


def fingerprint_to_bytes(result: FingerprintResult) -> bytes | None:
    """A fingerprint or an abstention as bytes; None for a failure, which is not cached, so that the
    next scan retries.
    """
    if isinstance(result, Fingerprint):
        sink = pa.BufferOutputStream()
        facts = json.dumps(dict(result.facts), allow_nan=False)
        schema = result.rows.schema.with_metadata({"facts": facts})
        with pa.ipc.new_stream(sink, schema) as stream:
            stream.write_batch(result.rows.replace_schema_metadata(schema.metadata))
        data: bytes = sink.getvalue().to_pybytes()
        return b"F" + data
    if isinstance(result, Abstention):
        return b"A" + packed_json([str(result.reason), result.detail, dict(result.facts)])
    return None


def fingerprint_from_bytes(stage: str, data: bytes) -> Fingerprint | Abstention:
    """The inverse of `fingerprint_to_bytes`. Raises ValueError if `data` is damaged."""
    if data[:1] == b"A":
        reason, detail, facts = unpacked_json(data[1:])
        return Abstention(Reason(reason), detail, facts)
    if data[:1] != b"F":
        raise ValueError("a cached value is neither a fingerprint nor an abstention")
    try:
        with pa.ipc.open_stream(pa.py_buffer(data[1:])) as stream:
            batches = list(stream)
            facts = json.loads(stream.schema.metadata[b"facts"])
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise ValueError("a cached fingerprint is damaged") from error
    if len(batches) != 1 or batches[0].num_rows == 0:
        raise ValueError("a cached fingerprint has no rows")
    return Fingerprint(stage, batches[0].replace_schema_metadata(None), facts)


def outcomes_to_bytes(outcomes: Sequence[StageOutcome]) -> bytes:
    """Outcomes of all stages as bytes, in their order."""
    return packed_json([_outcome(one) for one in outcomes])


def outcomes_from_bytes(data: bytes) -> tuple[StageOutcome, ...]:
    """The inverse of `outcomes_to_bytes`. Raises ValueError if `data` is damaged."""
    try:
        return tuple(_outcome_of(one) for one in unpacked_json(data))
    except (KeyError, TypeError) as error:
        raise ValueError("cached outcomes have another form") from error


def _outcome(outcome: StageOutcome) -> dict[str, Any]:
    value: dict[str, Any] = {"stage": outcome.stage, "outcome": str(outcome.outcome)}
    if outcome.reason is not None:
        value["reason"] = str(outcome.reason)
    if outcome.detail:
        value["detail"] = outcome.detail
    if outcome.facts:
        value["facts"] = dict(outcome.facts)
    if outcome.evidence:
        value["evidence"] = [
            {
                "work_id": one.work_id,
                "work_file": one.work_file,
                "work_file_id": one.work_file_id,
                "measures": dict(one.measures),
                "passages": [asdict(passage) for passage in one.passages],
            }
            for one in outcome.evidence
        ]
    return value


def _outcome_of(value: Mapping[str, Any]) -> StageOutcome:
    return StageOutcome(
        value["stage"],
        Outcome(value["outcome"]),
        Reason(value["reason"]) if "reason" in value else None,
        value.get("detail", ""),
        value.get("facts", {}),
        tuple(_evidence_of(one) for one in value.get("evidence", ())),
    )


def _evidence_of(value: Mapping[str, Any]) -> Evidence:
    return Evidence(
        value["work_id"],
        value["work_file"],
        value["work_file_id"],
        value["measures"],
        tuple(
            Passage(**{**one, "agreeing": tuple(tuple(run) for run in one["agreeing"])})
            for one in value["passages"]
        ),
    )


def facts_to_json(facts: Facts) -> str:
    """How an asset loaded, as JSON."""
    fault = [str(facts.fault.reason), facts.fault.detail] if facts.fault else None
    return json.dumps([fault, facts.format, facts.notes, facts.complete])


def facts_from_json(text: str) -> Facts:
    """The inverse of `facts_to_json`. Raises ValueError if `text` is damaged."""
    try:
        fault, file_format, notes, complete = json.loads(text)
        loading_fault = Fault(Reason(fault[0]), fault[1]) if fault else None
        return Facts(loading_fault, file_format, tuple(notes), complete)
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError("cached facts have another form") from error
