"""Text overlap: word-for-word passages that a script shares with works.

Winnowed k-grams and MinHash over windows of words generate candidates, and alignment finds the
passages. MinHash of whole files would miss a scene lifted into a script (the Jaccard similarity of
two 24,000-word scripts that share a 400-word scene is below 0.01), so signatures are of windows; a
passage shorter than a window is found by its k-grams. docs/design/passages.md has the reasons.

In `stages/text/`: `words` and `elements` read a script, `text_rows` is what is stored of it,
`candidates` finds where to look, `alignment` finds the passages, `rarity` weighs their words.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline.core.errors import Reason
from pipeline.core.records import Abstention, Evidence, Fingerprint, Kind, Measure, Passage, Value
from pipeline.core.wording.text import count, listed, percent
from pipeline.load.loaded import Loaded, LoadedScript, Span
from pipeline.stages.base import Stage, StageSettings, library_versions
from pipeline.stages.text.alignment import PassageLimits, SharedPassage, shared_passages
from pipeline.stages.text.rarity import phrases_weighed_down
from pipeline.stages.text.text_rows import (
    LEAST_WORDS,
    PERMUTATIONS,
    SCHEMA,
    SCHEME,
    SEED,
    SHINGLE_WORDS,
    STRIDE_WORDS,
    WINDOW_WORDS,
    TextRows,
    batch_of,
    is_compared,
    marks_of,
    texts_of,
)
from pipeline.stages.text.words import NORMALISATION, segmentation_fault, shingles_of, words_of
from reference_index.interface import FingerprintSpec, StageEntries, WorkFile

if TYPE_CHECKING:
    from pipeline.stages.text.candidates import TextIndex

LEAST_SHINGLES = 6
"""Distinct shingles below which a text says too little: eight different words have six."""
SHORT_SHARE = 0.6
"""Least containment for texts shorter than `min_score`: a passage must reach this share of the
weight of all words of the asset, or of the work, if that is less than `min_score`."""

_GOLDEN_TEXT = (
    "INT. FERRY QUAY - DUSK\n\n"
    "The ferry left at six, as it always did; nobody on the quay waved, and Captain O’Neill — "
    "who had waved for thirty years — put both hands in the pockets of his cоat and kept them "
    "there until the lights of the town had gone out one by one.\n\n"
    "CAPTAIN O'NEILL\nThat is the last of them.\n"
)


class TextOverlapSettings(StageSettings):
    """How passages are searched for.

    Attributes:
        min_jaccard: least estimated Jaccard similarity of two windows for them to be aligned.
        min_words: least agreeing words of a passage; of a text shorter than this, all words.
        min_score: least weight of a passage's agreeing words, rare ones counting more, times its
            identity; ordinary words weigh about 1.
        min_identity: least share of a passage's words that agree.
        max_gap: words that may differ between two agreeing runs of one passage.
        uncounted_rights: rights of works whose passages are shown and add nothing to the risk.
    """

    min_jaccard: float = Field(default=0.15, ge=0.0, le=1.0)
    min_words: int = Field(default=9, ge=SHINGLE_WORDS, le=1000)
    min_score: float = Field(default=7.0, ge=0.0, le=1000.0)
    min_identity: float = Field(default=0.4, gt=0.0, le=1.0)
    max_gap: int = Field(default=15, ge=0, le=200)
    uncounted_rights: tuple[str, ...] = ("public_domain", "licensed", "own")

    @property
    def not_counted(self) -> frozenset[str]:
        """As in `StageSettings.not_counted`."""
        return frozenset(label.strip().lower() for label in self.uncounted_rights)


class TextOverlap(Stage):
    """Word-for-word overlap with the texts of works, regardless of layout and case."""

    name: ClassVar[str] = "text_overlap"
    title: ClassVar[str] = "text overlap"
    kind: ClassVar[Kind] = Kind.SCRIPT
    shows_copying: ClassVar[bool] = True
    Settings: ClassVar[type[StageSettings]] = TextOverlapSettings
    schema: ClassVar[pa.Schema] = SCHEMA
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure(
            "text_jaccard", "float", "match", "0 to 1",
            "Estimated Jaccard similarity of the two most similar windows of 100 words; empty if "
            "no two are similar enough to be candidates.",
        ),
        Measure(
            "text_score", "float", "match", "words",
            "Agreeing words of all passages, rare ones counting more, times the passages' "
            "identity.",
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
            "Share of the asset's words that are in shared passages.",
        ),
        Measure(
            "text_work_share", "float", "match", "0 to 1",
            "Share of the words of the work's file that are in shared passages.",
        ),
        Measure("text_length", "int", "asset", "words", "Words of the asset that were compared."),
        Measure(
            "text_obfuscated", "int", "asset", "characters",
            "Characters of the asset that hide what it says, such as look-alike or invisible ones.",
        ),
        Measure(
            "text_obfuscation", "str", "asset", "",
            "The kinds of such characters, and how many of each; empty if there are none.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._spec = FingerprintSpec(
            stage=self.name,
            algorithm="words-and-minhash-windows/2",
            parameters={
                "normalisation": NORMALISATION,
                "word_hash": "xxh3_64, upper half",
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
            canary=self._golden_fingerprint(),
        )

    @property
    def spec(self) -> FingerprintSpec:
        """As in `Stage.spec`."""
        return self._spec

    def _golden_fingerprint(self) -> str:
        """SHA-256 (hex) of the fingerprint of a fixed text."""
        script = LoadedScript(_GOLDEN_TEXT, (Span(0, len(_GOLDEN_TEXT)),), "txt")
        fingerprint = self.fingerprint([script])[0]
        if isinstance(fingerprint, Abstention):
            raise AssertionError("the golden text has enough words")  # noqa: TRY004
        digest = hashlib.sha256()
        for column in fingerprint.rows.columns:
            digest.update(column.values.to_numpy().astype("<u8").tobytes())
        return digest.hexdigest()

    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """As in `Stage.fingerprint`: one row of `SCHEMA` for each script."""
        return [self._fingerprint_one(script) for script in loaded]

    def _fingerprint_one(self, script: Loaded) -> Fingerprint | Abstention:
        if not isinstance(script, LoadedScript):
            raise TypeError(f"{self.name} judges scripts, not {type(script).__name__}")
        words = words_of(script)
        marks = marks_of(script.text, words)
        hashes = (words.hashes >> np.uint64(32)).astype(np.uint32)
        compared = hashes[is_compared(marks)]
        facts: dict[str, Value] = {
            "text_length": len(compared),
            "text_obfuscated": sum(words.obfuscation.values()),
        }
        if words.obfuscation:
            facts["text_obfuscation"] = ", ".join(
                count(number, name.removesuffix("s"))
                for name, number in sorted(words.obfuscation.items())
            )
        if len(compared) < LEAST_WORDS:
            return Abstention(
                Reason.TOO_FEW_WORDS,
                f"{count(len(compared), 'word')} to compare; at least {LEAST_WORDS} are needed",
                facts,
            )
        if len(np.unique(shingles_of(compared, SHINGLE_WORDS))) < LEAST_SHINGLES:
            return Abstention(
                Reason.TOO_FEW_WORDS,
                f"{len(compared)} words, repeating the same few",
                facts,
            )
        if fault := segmentation_fault(script.text, words):
            return Abstention(Reason.TOO_FEW_WORDS, fault, facts)
        return Fingerprint(self.name, batch_of(hashes, marks, words.start, words.end), facts)

    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """As in `Stage.search`: candidates by k-grams and by MinHash, then the passages by
        alignment."""
        from pipeline.stages.text.candidates import TextIndex

        if not isinstance(settings, TextOverlapSettings):
            raise TypeError("text_overlap needs TextOverlapSettings")
        queries = [texts_of(one.rows) for one in fingerprints]
        if any(len(query) != 1 for query in queries):
            raise ValueError("a text_overlap fingerprint is one row")
        if not queries or not len(entries):
            return [[] for _ in queries]

        def build() -> TextIndex:
            works = {work: n for n, work in enumerate({file.work_id: 0 for file in entries.files})}
            numbers = np.array([works[file.work_id] for file in entries.files], np.int64)
            return TextIndex(texts_of(entries.rows), numbers[entries.file_of_row], entries.folder)

        index = entries.cached("text_overlap", build)
        return [_evidence_of(query, index, entries, settings) for query in queries]

    def remark(self, facts: Mapping[str, Value]) -> str | None:
        """As in `Stage.remark`: what hides words in the text."""
        obfuscation = facts.get("text_obfuscation")
        if not obfuscation:
            return None
        return (
            f"The text holds {listed(str(obfuscation).split(', '))}; its words were compared as a "
            "reader sees them, without invisible characters."
        )

    def sentence(self, evidence: Evidence) -> str:
        """As in `Stage.sentence`."""
        first = evidence.passages[0]
        # Why words do not agree is not known here: they may be changed, or only run together where
        # a space is hidden.
        exact = (
            "word for word"
            if first.identity == 1.0
            else f"though not word for word ({percent(first.identity)} agrees)"
        )
        comma = "" if first.identity == 1.0 else ","
        sentence = f"A passage of {count(first.words, 'word')} is shared with it{comma} {exact}"
        if len(evidence.passages) == 1:
            return f"{sentence}."
        total = sum(passage.words for passage in evidence.passages)
        return f"{sentence}; {len(evidence.passages)} passages with {total:,} words in all."


def _evidence_of(
    query: TextRows, index: TextIndex, entries: StageEntries, settings: TextOverlapSettings
) -> list[Evidence]:
    """The evidence on one script, one for each work, strongest first."""
    candidates = index.candidates(query, settings.min_jaccard)
    weights = phrases_weighed_down(
        index.rarity.weights(query.words, (query.end - query.start).astype(np.int64)),
        candidates.commonness,
    )
    best: dict[str, tuple[tuple[float, int, str], Evidence]] = {}
    for row in sorted(candidates.boxes):
        file = entries.files[int(entries.file_of_row[row])]
        work_words = index.words(row)
        limits = PassageLimits(
            max_gap=settings.max_gap,
            min_words=min(settings.min_words, len(query.words), len(work_words)),
            min_score=min(
                settings.min_score,
                SHORT_SHARE * float(weights.sum()),
                SHORT_SHARE * len(work_words) * float(weights.mean()),
            ),
            min_identity=settings.min_identity,
        )
        passages = shared_passages(query.words, work_words, candidates.boxes[row], weights, limits)
        if not passages:
            continue
        evidence = _evidence(query, index, row, passages, candidates.jaccard.get(row), file)
        total = sum(passage.score for passage in passages)
        rank = (-round(total, 6), -sum(passage.words for passage in passages), file.path)
        if file.work_id not in best or rank < best[file.work_id][0]:
            best[file.work_id] = (rank, evidence)
    ranked = sorted(best.values(), key=lambda pair: (pair[0][:2], pair[1].work_id))
    return [evidence for _, evidence in ranked]


def _evidence(
    query: TextRows,
    index: TextIndex,
    row: int,
    passages: Sequence[SharedPassage],
    jaccard: float | None,
    file: WorkFile,
) -> Evidence:
    first_word = int(index.texts.offsets[row])
    work_words = len(index.words(row))
    longest = max(passages, key=lambda passage: (passage.words, passage.score))
    total = sum(passage.words for passage in passages)
    measures: Mapping[str, Value] = {
        "text_jaccard": None if jaccard is None else round(jaccard, 6),
        "text_score": round(math.fsum(passage.score for passage in passages), 3),
        "text_words": total,
        "text_longest": longest.words,
        "text_run": max(passage.longest for passage in passages),
        "text_identity": round(longest.identity, 6),
        "text_asset_share": round(min(1.0, total / len(query.words)), 6),
        "text_work_share": round(min(1.0, total / work_words), 6),
    }
    ordered = sorted(passages, key=lambda passage: (-passage.words, passage.asset_start))
    return Evidence(
        work_id=file.work_id,
        work_file=file.path,
        work_file_id=file.file_id,
        measures=measures,
        passages=tuple(
            _passage(one, query, index.texts, first_word, work_words, file.path) for one in ordered
        ),
    )


def _passage(
    shared: SharedPassage,
    query: TextRows,
    texts: TextRows,
    first_word: int,
    work_words: int,
    work_file: str,
) -> Passage:
    """A passage in characters of both raw texts.

    Args:
        shared: in words.
        query: the asset.
        texts: all stored texts.
        first_word: the work's first word in `texts`.
        work_words: words of the work.
        work_file: its path.
    """
    asset_run, work_run = shared.runs[:, 0], shared.runs[:, 1] + first_word
    last = shared.runs[:, 2] - 1
    agreeing: NDArray[Any] = np.stack(
        [
            query.start[asset_run],
            query.end[asset_run + last],
            texts.start[work_run],
            texts.end[work_run + last],
        ],
        axis=1,
    )
    return Passage(
        work_file=work_file,
        asset_start=int(query.start[shared.asset_start]),
        asset_end=int(query.end[shared.asset_end - 1]),
        work_start=int(texts.start[first_word + shared.work_start]),
        work_end=int(texts.end[first_word + shared.work_end - 1]),
        words=shared.words,
        identity=round(shared.identity, 6),
        longest=shared.longest,
        score=round(shared.score, 3),
        chains=shared.chains,
        asset_share=round(shared.words / len(query.words), 6),
        work_share=round(shared.words / work_words, 6),
        agreeing=tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in agreeing.tolist()),
    )
