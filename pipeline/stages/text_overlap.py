"""Text overlap: MinHash over windows of words finds the works, alignment finds the passages.

MinHash of whole files finds nothing of a scene lifted into a script (the Jaccard similarity of a
400-word scene with a 24,000-word script is below 0.01), so signatures are of windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import Reason
from pipeline.records import (
    Abstention,
    Evidence,
    Fingerprint,
    Kind,
    Loaded,
    LoadedScript,
    Passage,
    Span,
)
from pipeline.stages.base import Measure, Stage, StageSettings, library_versions, refuse_other_spec
from pipeline.verify.alignment import SharedPassage, shared_passages
from pipeline.words import NORMALISATION, shingles_of, words_of
from reference_index.interface import StageEntries
from reference_index.spec import FingerprintSpec

SHINGLE_WORDS = 3
WINDOW_WORDS = 100
STRIDE_WORDS = 50
PERMUTATIONS = 128
SEED = 1
SCHEME = "affine32"
BANDS, ROWS = 64, 2
LEAST_WORDS = 8
LEAST_SHINGLES = 6
"""Distinct shingles below which a text says too little: eight different words have six."""
SHORT_WORDS = 60
"""A work this short is found by its shingles themselves: its windows are too unlike a long one."""
SHORT_SHARE = 0.4
"""Share of a short work's shingles that an asset must have to be compared with it."""

_CANARY = (
    "The ferry left at six, as it always did; nobody on the quay waved, and Captain O’Neill — "
    "who had waved for thirty years — put both hands in the pockets of his coat and kept them "
    "there until the lights of the town had gone out one by one."
)


class TextOverlapSettings(StageSettings):
    """How passages are searched for.

    Attributes:
        min_jaccard: least estimated Jaccard similarity of two windows for their texts to be
            aligned.
        min_words: least agreeing words of a passage; a text shorter than this need only agree
            as a whole.
        min_identity: least share of a passage's words that agree.
        max_gap: words that may differ between two agreeing runs of one passage.
    """

    min_jaccard: float = Field(default=0.08, ge=0.0, le=1.0)
    min_words: int = Field(default=20, ge=SHINGLE_WORDS, le=1000)
    min_identity: float = Field(default=0.4, gt=0.0, le=1.0)
    max_gap: int = Field(default=12, ge=0, le=200)


@dataclass(frozen=True)
class _Text:
    """One fingerprint's arrays."""

    shingles: NDArray[np.uint64]
    start: NDArray[np.uint32]
    end: NDArray[np.uint32]
    signatures: NDArray[np.uint32]

    @property
    def words(self) -> int:
        return len(self.start)


class TextOverlap(Stage):
    """Word-for-word overlap with the texts of works, whatever the lines and the case."""

    name: ClassVar[str] = "text_overlap"
    title: ClassVar[str] = "text overlap"
    kind: ClassVar[Kind] = Kind.SCRIPT
    shows_copying: ClassVar[bool] = True
    Settings: ClassVar[type[StageSettings]] = TextOverlapSettings
    schema: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("shingles", pa.list_(pa.uint64()), nullable=False),
            pa.field("word_start", pa.list_(pa.uint32()), nullable=False),
            pa.field("word_end", pa.list_(pa.uint32()), nullable=False),
            pa.field("signatures", pa.list_(pa.uint32()), nullable=False),
        ]
    )
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure(
            "text_jaccard", "float", "match", "0 to 1",
            "Estimated Jaccard similarity of the two windows of 100 words that are most alike.",
        ),
        Measure(
            "text_words", "int", "match", "words",
            "Words in all passages shared with the work.",
        ),
        Measure(
            "text_longest", "int", "match", "words",
            "Agreeing words in the longest shared passage.",
        ),
        Measure(
            "text_run", "int", "match", "words",
            "Longest run of words shared without a single change.",
        ),
        Measure(
            "text_identity", "float", "match", "0 to 1",
            "Share of the longest passage's words that agree.",
        ),
        Measure(
            "text_asset_share", "float", "match", "0 to 1",
            "Share of the asset's words that stand in shared passages.",
        ),
        Measure(
            "text_work_share", "float", "match", "0 to 1",
            "Share of the words of the work's file that stand in shared passages.",
        ),
        Measure("text_length", "int", "asset", "words", "Words of the asset that were compared."),
    )  # fmt: skip

    def __init__(self) -> None:
        self._spec = FingerprintSpec(
            stage=self.name,
            algorithm="minhash-windows/1",
            parameters={
                "normalisation": NORMALISATION,
                "word_hash": "xxh3_64",
                "shingle_words": SHINGLE_WORDS,
                "window_words": WINDOW_WORDS,
                "stride_words": STRIDE_WORDS,
                "permutations": PERMUTATIONS,
                "seed": SEED,
                "scheme": SCHEME,
                "least_words": LEAST_WORDS,
                "least_shingles": LEAST_SHINGLES,
            },
            libraries=library_versions("datasketch", "xxhash", "regex"),
            canary=self._canary(),
        )

    @classmethod
    def create(cls, **options: Any) -> Self:  # noqa: ARG003 - the contract's signature
        """A stage for a new index; it has no options."""
        return cls()

    @classmethod
    def from_spec(cls, spec: FingerprintSpec) -> Self:
        """As in `Stage.from_spec`."""
        stage = cls()
        refuse_other_spec(stage.spec, spec)
        return stage

    @property
    def spec(self) -> FingerprintSpec:
        """Identity of the values this stage makes."""
        return self._spec

    def _canary(self) -> str:
        script = LoadedScript(_CANARY, (Span(0, len(_CANARY)),), "txt")
        answer = self.fingerprint([script])[0]
        if isinstance(answer, Abstention):
            raise AssertionError("the canary has words enough")  # noqa: TRY004
        digest = hashlib.sha256()
        for column in answer.rows.columns:
            digest.update(column.values.to_numpy().astype("<u8").tobytes())
        return digest.hexdigest()

    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """One row for each script: its shingles, its words' places, its windows' signatures."""
        return [self._one(script) for script in loaded]

    def _one(self, script: Loaded) -> Fingerprint | Abstention:
        if not isinstance(script, LoadedScript):
            raise TypeError(f"{self.name} judges scripts, not {type(script).__name__}")
        words = words_of(script)
        facts = {"text_length": len(words)}
        if len(words) < LEAST_WORDS:
            count = "1 word" if len(words) == 1 else f"{len(words)} words"
            return Abstention(
                Reason.TOO_FEW_WORDS, f"{count}; at least {LEAST_WORDS} are needed", facts
            )
        shingles = shingles_of(words.hashes, SHINGLE_WORDS)
        if len(np.unique(shingles)) < LEAST_SHINGLES:
            return Abstention(
                Reason.TOO_FEW_WORDS,
                f"{len(words)} words, but the same few again and again",
                facts,
            )
        columns: tuple[tuple[NDArray[Any], pa.DataType], ...] = (
            (shingles, pa.uint64()),
            (words.start.astype(np.uint32), pa.uint32()),
            (words.end.astype(np.uint32), pa.uint32()),
            (_signatures(shingles).reshape(-1), pa.uint32()),
        )
        arrays = [
            pa.ListArray.from_arrays(
                pa.array([0, len(values)], pa.int32()), pa.array(values, kind)
            ).cast(self.schema.field(place).type)
            for place, (values, kind) in enumerate(columns)
        ]
        return Fingerprint(self.name, pa.RecordBatch.from_arrays(arrays, schema=self.schema), facts)

    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """As in `Stage.search`: candidates by MinHash (and, of short works, by their shingles),
        then the passages by alignment."""
        if not isinstance(settings, TextOverlapSettings):
            raise TypeError("text_overlap needs TextOverlapSettings")
        queries = [_text(one.rows, 0) for one in fingerprints]
        if not queries or not len(entries):
            return [[] for _ in queries]
        stored = entries.built("text_overlap", lambda: _Stored(entries.rows))
        found: list[list[Evidence]] = []
        for query, candidates in zip(
            queries, stored.candidates(queries, settings.min_jaccard), strict=True
        ):
            best: dict[str, tuple[tuple[int, int, float, str], Evidence]] = {}
            for row, jaccard in sorted(candidates.items()):
                file = entries.files[int(entries.file_of_row[row])]
                evidence = _evidence(query, stored.text(row), jaccard, file, settings)
                if evidence is None:
                    continue
                key = _strength(evidence)
                if file.work_id not in best or key < best[file.work_id][0]:
                    best[file.work_id] = (key, evidence)
            ranked = sorted(best.values(), key=lambda pair: (pair[0][:3], pair[1].work_id))
            found.append([evidence for _, evidence in ranked])
        return found

    def sentence(self, evidence: Evidence) -> str:
        """As in `Stage.sentence`."""
        first = evidence.passages[0]
        exact = "word for word" if first.identity == 1.0 else "with words changed"
        said = f"A passage of {_count(first.words, 'word')} is shared with it {exact}"
        if len(evidence.passages) == 1:
            return f"{said}."
        total = sum(passage.words for passage in evidence.passages)
        return f"{said}, and {len(evidence.passages)} passages with {total:,} words in all."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _windows(count: int) -> Iterator[tuple[int, int]]:
    """Shingles of each window, half open, of a text with `count` shingles."""
    width = WINDOW_WORDS - SHINGLE_WORDS + 1
    if count <= width:
        yield 0, count
        return
    for start in range(0, count - width, STRIDE_WORDS):
        yield start, start + width
    yield count - width, count


def _signatures(shingles: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """uint32 (windows, permutations): datasketch's MinHash of each window's shingles.

    Shingles are hashed already; datasketch is given their upper 32 bits as they are, which is
    what the scheme `affine32` takes.
    """
    from datasketch import MinHash

    values = (shingles >> np.uint64(32)).astype(np.int64).tolist()
    sketches = MinHash.generator(
        (values[start:end] for start, end in _windows(len(values))),
        num_perm=PERMUTATIONS,
        seed=SEED,
        hashfunc=int,
        scheme=SCHEME,
    )
    return np.stack([sketch.hashvalues for sketch in sketches]).astype(np.uint32)


def _text(rows: pa.RecordBatch | pa.Table, row: int) -> _Text:
    """One row's arrays, checked.

    Raises:
        ValueError: if the row is not of this stage's form.
    """
    if rows.schema.names != TextOverlap.schema.names or not 0 <= row < rows.num_rows:
        raise ValueError("rows are not of the form of text_overlap")
    cells = [rows.column(name)[row] for name in rows.schema.names]
    if any(not cell.is_valid for cell in cells):
        raise ValueError("a text_overlap row has a missing value")
    shingles, start, end, signatures = (cell.values.to_numpy() for cell in cells)
    if (
        shingles.dtype != np.uint64
        or len(start) < LEAST_WORDS
        or len(end) != len(start)
        or len(shingles) != len(start) - SHINGLE_WORDS + 1
        or signatures.dtype != np.uint32
        or len(signatures) != PERMUTATIONS * sum(1 for _ in _windows(len(shingles)))
        or bool((end <= start).any())
        or bool((start[1:] < end[:-1]).any())
    ):
        raise ValueError("a text_overlap row does not hold what its lengths promise")
    return _Text(shingles, start, end, signatures.reshape(-1, PERMUTATIONS))


class _Stored:
    """The stored texts, with the searches over them."""

    def __init__(self, rows: pa.Table) -> None:
        from reference_index.minhash import MinHashIndex

        self._rows = rows.combine_chunks()
        self._texts = [_text(self._rows, row) for row in range(rows.num_rows)]
        # Each signature of a text once: a text that repeats itself would else be compared with
        # another in the square of its length.
        signatures = [np.unique(text.signatures, axis=0) for text in self._texts]
        self._row_of_window = np.repeat(
            np.arange(len(self._texts)), [len(several) for several in signatures]
        )
        self._windows = MinHashIndex(np.concatenate(signatures), bands=BANDS, rows=ROWS)
        short = [row for row, text in enumerate(self._texts) if text.words <= SHORT_WORDS]
        shingles = [np.unique(self._texts[row].shingles) for row in short]
        self._short_row = np.repeat(np.array(short, np.int64), [len(s) for s in shingles])
        values = np.concatenate(shingles) if shingles else np.empty(0, np.uint64)
        order = np.argsort(values, kind="stable")
        self._short_values, self._short_row = values[order], self._short_row[order]
        self._short_size = {row: len(s) for row, s in zip(short, shingles, strict=True)}

    def text(self, row: int) -> _Text:
        """The text of a stored row."""
        return self._texts[row]

    def candidates(self, queries: Sequence[_Text], min_jaccard: float) -> list[dict[int, float]]:
        """For each query, rows to align with it, with the best windows' estimated Jaccard."""
        found: list[dict[int, float]] = [{} for _ in queries]
        asked = [np.unique(query.signatures, axis=0) for query in queries]
        query_of = np.repeat(np.arange(len(queries)), [len(several) for several in asked])
        hits = self._windows.above(np.concatenate(asked), min_jaccard)
        for query, row, score in zip(
            query_of[hits.query].tolist(),
            self._row_of_window[hits.entry].tolist(),
            hits.score.tolist(),
            strict=True,
        ):
            if score > found[query].get(row, -1.0):
                found[query][row] = score
        for query, text in enumerate(queries):
            for row in self._short_rows(text):
                found[query].setdefault(row, 0.0)
        return found

    def _short_rows(self, text: _Text) -> list[int]:
        asked = np.unique(text.shingles)
        first = np.searchsorted(self._short_values, asked, "left")
        last = np.searchsorted(self._short_values, asked, "right")
        hit = np.flatnonzero(last > first)
        rows = [self._short_row[first[k] : last[k]] for k in hit]
        if not rows:
            return []
        row, shared = np.unique(np.concatenate(rows), return_counts=True)
        return [
            r
            for r, n in zip(row.tolist(), shared.tolist(), strict=True)
            if n >= SHORT_SHARE * self._short_size[r]
        ]


def _strength(evidence: Evidence) -> tuple[int, int, float, str]:
    """Sorts evidence strongest first."""
    longest, words = evidence.measures["text_longest"], evidence.measures["text_words"]
    identity = evidence.measures["text_identity"]
    if not isinstance(longest, int) or not isinstance(words, int) or identity is None:
        raise TypeError("text_overlap evidence has whole numbers of words")
    return -longest, -words, -float(identity), evidence.work_file


def _evidence(
    mine: _Text, theirs: _Text, jaccard: float, file: Any, settings: TextOverlapSettings
) -> Evidence | None:
    shared = shared_passages(
        mine.shingles,
        theirs.shingles,
        shingle_words=SHINGLE_WORDS,
        max_gap=settings.max_gap,
        min_words=min(settings.min_words, mine.words, theirs.words),
        min_identity=settings.min_identity,
    )
    if not shared:
        return None
    total = sum(passage.words for passage in shared)
    return Evidence(
        work_id=file.work_id,
        work_file=file.path,
        work_file_id=file.file_id,
        measures={
            "text_jaccard": round(jaccard, 6),
            "text_words": total,
            "text_longest": shared[0].words,
            "text_run": max(passage.longest for passage in shared),
            "text_identity": round(shared[0].identity, 6),
            "text_asset_share": round(min(1.0, total / mine.words), 6),
            "text_work_share": round(min(1.0, total / theirs.words), 6),
        },
        passages=tuple(_passage(one, mine, theirs, file.path) for one in shared),
    )


def _passage(shared: SharedPassage, mine: _Text, theirs: _Text, work_file: str) -> Passage:
    return Passage(
        work_file=work_file,
        asset_start=int(mine.start[shared.start]),
        asset_end=int(mine.end[shared.end - 1]),
        work_start=int(theirs.start[shared.other_start]),
        work_end=int(theirs.end[shared.other_end - 1]),
        words=shared.words,
        identity=round(shared.identity, 6),
    )
