"""Perceptual hashing: pHash (64 bits) and PDQ (256 bits), searched exactly by Hamming distance.

pHash is the DCT hash of Zauner (2010) as in imagehash; PDQ is described in "The TMK+PDQF
Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.core.errors import Reason
from pipeline.core.records import Abstention, Evidence, Fingerprint, Kind, Measure
from pipeline.load.detail import LARGEST_EDGE as GREY_EDGE
from pipeline.load.detail import golden_picture, to_grey
from pipeline.load.loaded import WORKING_EDGE, Loaded, LoadedImage
from pipeline.stages.base import (
    Stage,
    StageSettings,
    check_rows,
    library_versions,
    stage_threads,
)
from reference_index.interface import FingerprintSpec, Hits, StageEntries

PHASH_BITS, PHASH_BYTES = 64, 8
PDQ_BITS, PDQ_BYTES = 256, 32
LEAST_QUALITY = 50
"""PDQ's own measure of detail, 0 to 100; PDQ advises to discard hashes below 50."""
CANDIDATE_BITS = 90
"""PDQ distance, of 256 bits, up to which a work is a candidate: unrelated pictures have about 128,
with a standard deviation of 8."""
PDQ_EDGE = 1024
"""Longest edge in pixels to which pictures are reduced first: PDQ itself reduces them to 64."""
SMALLEST_EDGE = 8
"""Pixels below which an edge is too short to hash."""

TRANSFORMS = (
    "as it is",
    "turned by 90° anticlockwise",
    "turned by 180°",
    "turned by 90° clockwise",
    "flipped upside down",
    "mirrored",
    "mirrored and turned by 90° anticlockwise",
    "mirrored and turned by 90° clockwise",
)
"""What must be done to the asset for its hash to agree, in the order of pdqhash's variants."""


class PerceptualHashSettings(StageSettings):
    """Largest Hamming distances of a match, in bits, inclusive; None switches that hash off.

    Attributes:
        phash_max_distance: of the 64-bit pHash.
        pdq_max_distance: of the 256-bit PDQ, over its eight dihedral variants.
    """

    phash_max_distance: int | None = Field(default=10, ge=0, le=PHASH_BITS)
    pdq_max_distance: int | None = Field(default=60, ge=0, le=PDQ_BITS)

    @model_validator(mode="after")
    def _one_is_on(self) -> Self:
        if self.enabled and self.phash_max_distance is None and self.pdq_max_distance is None:
            raise ValueError("with both hashes off nothing is compared; set enabled: false instead")
        return self


@dataclass(frozen=True)
class _Hashes:
    """Rows of fingerprints as arrays."""

    frame: NDArray[np.int32]
    phash: NDArray[np.uint8]
    pdq: NDArray[np.uint8]


class PerceptualHash(Stage):
    """The whole picture's outline, robust against recompression, resizing and small edits."""

    name: ClassVar[str] = "perceptual_hash"
    title: ClassVar[str] = "perceptual hash"
    kind: ClassVar[Kind] = Kind.IMAGE
    shows_copying: ClassVar[bool] = True
    Settings: ClassVar[type[StageSettings]] = PerceptualHashSettings
    schema: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("frame", pa.int32(), nullable=False),
            pa.field("phash", pa.binary(PHASH_BYTES), nullable=False),
            # The eight dihedral variants, the upright one first: all of an asset are queried,
            # and of a work only the first is searched.
            pa.field("pdq", pa.binary(PDQ_BYTES * len(TRANSFORMS)), nullable=False),
            pa.field("pdq_quality", pa.int32(), nullable=False),
        ]
    )
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure(
            "phash_distance", "int", "match", "bits of 64",
            "Hamming distance of the perceptual hashes (pHash).",
        ),
        Measure(
            "pdq_distance", "int", "match", "bits of 256",
            "Hamming distance of the PDQ hashes, the least of the eight turned and mirrored forms.",
        ),
        Measure(
            "pdq_transform", "str", "match", "",
            "How the asset is turned or mirrored where its PDQ hash agrees best with the work's.",
        ),
        Measure(
            "hash_frame", "int", "match", "frame, from 0", "Frame of the asset that agrees best."
        ),
        Measure(
            "pdq_quality", "int", "asset", "0 to 100",
            "PDQ's measure of the picture's detail; below 50 the stage abstains.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._spec = FingerprintSpec(
            stage=self.name,
            algorithm="phash64+pdq256/2",
            parameters={
                "phash_size": 8,
                "working_edge": WORKING_EDGE,
                "phash_edge": GREY_EDGE,
                "pdq_edge": PDQ_EDGE,
                "smallest_edge": SMALLEST_EDGE,
                "least_quality": LEAST_QUALITY,
                "variants": len(TRANSFORMS),
            },
            libraries=library_versions(
                "imagehash", "pdqhash", "pillow", "scipy", "opencv-python-headless"
            ),
            canary=self._golden_fingerprint(),
        )

    @property
    def spec(self) -> FingerprintSpec:
        """Identity of the values this stage makes."""
        return self._spec

    def _golden_fingerprint(self) -> str:
        picture = golden_picture()
        phash = _phash(to_grey(picture))
        pdq, quality = _pdq(picture)
        return hashlib.sha256(phash + pdq + bytes([quality])).hexdigest()

    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """A row for each frame with enough detail; an abstention if none has."""
        with ThreadPoolExecutor(stage_threads()) as pool:
            return list(pool.map(self._fingerprint_one, loaded))

    def _fingerprint_one(self, image: Loaded) -> Fingerprint | Abstention:
        if not isinstance(image, LoadedImage):
            raise TypeError(f"{self.name} judges pictures, not {type(image).__name__}")
        rows = []
        best = 0
        for index, frame in enumerate(image.frames):
            if min(frame.shape[:2]) < SMALLEST_EDGE:
                continue
            pdq, quality = _pdq(frame)
            best = max(best, quality)
            if quality >= LEAST_QUALITY and image.detailed[index]:
                rows.append((image.number(index), _phash(image.grey[index]), pdq, quality))
        facts = {"pdq_quality": best}
        if not rows:
            return Abstention(Reason.TOO_LITTLE_DETAIL, self._abstention(image, best), facts)
        frames, phashes, pdqs, qualities = zip(*rows, strict=True)
        arrays = [
            pa.array(values, field.type)
            for values, field in zip((frames, phashes, pdqs, qualities), self.schema, strict=True)
        ]
        return Fingerprint(self.name, pa.RecordBatch.from_arrays(arrays, schema=self.schema), facts)

    @staticmethod
    def _abstention(image: LoadedImage, quality: int) -> str:
        height, width = image.frames[0].shape[:2]
        if min(height, width) < SMALLEST_EDGE:
            return f"{width} × {height} pixels is too small to hash"
        if quality < LEAST_QUALITY:
            return (
                f"too little detail to hash (PDQ quality {quality}; "
                f"at least {LEAST_QUALITY} is needed)"
            )
        return "too little detail to hash (only flat areas or smooth gradients)"

    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """As in `Stage.search`: FAISS, exact, every frame and variant against every frame."""
        if not isinstance(settings, PerceptualHashSettings):
            raise TypeError("perceptual_hash needs PerceptualHashSettings")
        queries = [_hashes(one.rows) for one in fingerprints]
        if not queries or not len(entries):
            return [[] for _ in queries]
        stored = entries.cached("perceptual_hash", lambda: _HashIndexes(entries.rows))
        asset_of = np.repeat(np.arange(len(queries)), [len(q.frame) for q in queries])
        frames = np.concatenate([q.frame for q in queries])
        neighbours = [_Neighbours() for _ in queries]
        if settings.phash_max_distance is not None:
            hits = stored.phash.within(
                np.concatenate([q.phash for q in queries]), settings.phash_max_distance
            )
            for asset, query, row, bits in _hit_rows(hits, asset_of[hits.query]):
                neighbours[asset].add_phash(row, bits, int(frames[query]))
        if settings.pdq_max_distance is not None:
            variants = np.concatenate([q.pdq for q in queries]).reshape(-1, PDQ_BYTES)
            hits = stored.pdq.within(variants, settings.pdq_max_distance)
            for asset, query, row, bits in _hit_rows(hits, asset_of[hits.query // len(TRANSFORMS)]):
                frame, transform = divmod(query, len(TRANSFORMS))
                neighbours[asset].add_pdq(row, bits, int(frames[frame]), transform)
        return [one.evidence(entries) for one in neighbours]

    def candidates(
        self,
        fingerprints: Sequence[Fingerprint],
        entries: StageEntries,
        settings: StageSettings,  # noqa: ARG002 - the contract's signature
        limit: int,
    ) -> list[list[int]]:
        """As in `Stage.candidates`: the nearest files by PDQ, in any of the eight forms."""
        if not fingerprints or not len(entries):
            return [[] for _ in fingerprints]
        stored = entries.cached("perceptual_hash", lambda: _HashIndexes(entries.rows))
        queries = [_hashes(one.rows).pdq.reshape(-1, PDQ_BYTES) for one in fingerprints]
        owner = np.repeat(np.arange(len(queries)), [len(one) for one in queries])
        hits = stored.pdq.within(np.concatenate(queries), CANDIDATE_BITS)
        nearest: list[dict[int, float]] = [{} for _ in queries]
        for asset, row, bits in zip(
            owner[hits.query].tolist(), hits.entry.tolist(), hits.score.tolist(), strict=True
        ):
            file = int(entries.file_of_row[row])
            nearest[asset][file] = min(nearest[asset].get(file, bits), bits)
        return [sorted(one, key=lambda file: (one[file], file))[:limit] for one in nearest]

    def sentence(self, evidence: Evidence) -> str:
        """As in `Stage.sentence`."""
        parts = []
        pdq, phash = evidence.measures.get("pdq_distance"), evidence.measures.get("phash_distance")
        if isinstance(pdq, int):
            how = evidence.measures.get("pdq_transform")
            form = "" if how == TRANSFORMS[0] else f", once {how},"
            parts.append(f"{PDQ_BITS - pdq} of {PDQ_BITS} bits of the PDQ hash")
            lead = f"The picture's outline{form} agrees with it in "
        else:
            lead = "The picture's outline agrees with it in "
        if isinstance(phash, int):
            parts.append(f"{PHASH_BITS - phash} of {PHASH_BITS} bits of the perceptual hash")
        return f"{lead}{' and in '.join(parts)}."


def _phash(grey: NDArray[np.uint8]) -> bytes:
    """pHash (8 bytes) of one frame's grey levels."""
    import imagehash
    from PIL import Image

    return np.packbits(imagehash.phash(Image.fromarray(grey)).hash.reshape(-1)).tobytes()


def _pdq(frame: NDArray[np.uint8]) -> tuple[bytes, int]:
    """The eight PDQ variants (256 bytes) and PDQ's quality of one frame."""
    import cv2
    import pdqhash

    height, width = frame.shape[:2]
    if max(height, width) > PDQ_EDGE:
        scale = PDQ_EDGE / max(height, width)
        size = max(SMALLEST_EDGE, round(width * scale)), max(SMALLEST_EDGE, round(height * scale))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    variants, quality = pdqhash.compute_dihedral(np.ascontiguousarray(frame))
    pdq = np.packbits(np.stack(variants).astype(np.uint8), axis=1).tobytes()
    return pdq, int(quality)


def _hashes(rows: pa.RecordBatch | pa.Table) -> _Hashes:
    """Rows as arrays.

    Raises:
        ValueError: if they are not of this stage's form.
    """
    check_rows(rows, PerceptualHash.schema, PerceptualHash.name)
    quality = rows.column("pdq_quality").to_numpy()
    if len(quality) and (quality.min() < LEAST_QUALITY or quality.max() > 100):
        raise ValueError("a perceptual_hash row has a PDQ quality that is never stored")
    return _Hashes(
        rows.column("frame").to_numpy(),
        _bytes(rows.column("phash"), PHASH_BYTES),
        _bytes(rows.column("pdq"), PDQ_BYTES * len(TRANSFORMS)),
    )


def _bytes(column: pa.Array | pa.ChunkedArray, width: int) -> NDArray[np.uint8]:
    joined = b"".join(column.to_pylist())
    return np.frombuffer(joined, np.uint8).reshape(-1, width)


class _HashIndexes:
    """Searches over the stored hashes."""

    def __init__(self, rows: pa.Table) -> None:
        from reference_index.hamming import HammingIndex

        hashes = _hashes(rows)
        self.phash = HammingIndex(hashes.phash)
        self.pdq = HammingIndex(np.ascontiguousarray(hashes.pdq[:, :PDQ_BYTES]))


def _hit_rows(hits: Hits, asset: NDArray[np.int64]) -> list[tuple[int, int, int, int]]:
    """(asset, query row, stored row, bits) of each hit, as plain integers."""
    return list(
        zip(
            asset.tolist(),
            hits.query.tolist(),
            hits.entry.tolist(),
            hits.score.astype(np.int64).tolist(),
            strict=True,
        )
    )


class _Neighbours:
    """The hits of one asset, by stored row: the nearest of its frames and variants."""

    def __init__(self) -> None:
        self._phash: dict[int, tuple[int, int]] = {}
        self._pdq: dict[int, tuple[int, int, int]] = {}

    def add_phash(self, row: int, bits: int, frame: int) -> None:
        """Adds a hit of the pHash of `frame`."""
        self._phash[row] = min(self._phash.get(row, (bits, frame)), (bits, frame))

    def add_pdq(self, row: int, bits: int, frame: int, transform: int) -> None:
        """Adds a hit of a variant of the PDQ hash of `frame`."""
        hit = (bits, transform, frame)
        self._pdq[row] = min(self._pdq.get(row, hit), hit)

    def evidence(self, entries: StageEntries) -> list[Evidence]:
        """The best file of each work, the strongest work first."""
        best: dict[str, tuple[tuple[float, float, str, int], Evidence]] = {}
        for row in sorted({*self._phash, *self._pdq}):
            file = entries.files[int(entries.file_of_row[row])]
            phash, pdq = self._phash.get(row), self._pdq.get(row)
            evidence = Evidence(
                work_id=file.work_id,
                work_file=file.path,
                work_file_id=file.file_id,
                measures={
                    "phash_distance": phash[0] if phash else None,
                    "pdq_distance": pdq[0] if pdq else None,
                    "pdq_transform": TRANSFORMS[pdq[1]] if pdq else None,
                    "hash_frame": pdq[2] if pdq else phash[1] if phash else None,
                },
            )
            # Shares of differing bits; a hash without a hit counts as half, as if by chance.
            shares = sorted(
                (phash[0] / PHASH_BITS if phash else 0.5, pdq[0] / PDQ_BITS if pdq else 0.5)
            )
            key = (shares[0], shares[1], file.path, row)
            if file.work_id not in best or key < best[file.work_id][0]:
                best[file.work_id] = (key, evidence)
        ranked = sorted(best.items(), key=lambda item: (item[1][0][:2], item[0]))
        return [evidence for _, (_, evidence) in ranked]
