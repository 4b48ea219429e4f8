"""Inputs for the conformance suite: for each kind of asset, rich ones and blank ones."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

from pipeline.core.records import Fingerprint, Kind
from pipeline.load.loaded import LoadedImage, LoadedScript, Span
from reference_index.interface import StageEntries, WorkFile
from training.synthetic.pictures import picture


def image(*frames):
    return LoadedImage(tuple(frames), "PNG", len(frames))


def script(text):
    return LoadedScript(text, (Span(0, len(text)),) if text else (), "txt", "utf-8")


def prose(seed, words):
    """Generated text that shares no passage with that of another seed."""
    rng = random.Random(seed)
    vocabulary = [
        "".join(rng.choices("abdefgiklmnoprstuvw", k=rng.randint(2, 8))) for _ in range(900)
    ]
    return " ".join(
        rng.choice(vocabulary) + rng.choice(["", "", "", ",", "."]) for _ in range(words)
    )


def pictures(count):
    """Drawn pictures with detail enough for every stage."""
    from pipeline.load.detail import has_detail

    drawn = (picture(seed, 160) for seed in range(10_000))
    detailed = []
    for one in drawn:
        if has_detail(one) and one.std() > 30:
            detailed.append(one)
        if len(detailed) == count:
            return detailed
    raise AssertionError("too few pictures with detail")


def rich(kind):
    """Seven different inputs that a stage must be able to judge."""
    if kind is Kind.IMAGE:
        drawn = pictures(8)
        return [*(image(one) for one in drawn[:6]), image(drawn[6], drawn[7])]
    return [
        script(prose(seed, words)) for seed, words in enumerate((9, 30, 99, 100, 101, 260, 1000))
    ]


def blank(kind):
    """Inputs with too little to compare, by name."""
    if kind is Kind.SCRIPT:
        return {
            "no text": script(""),
            "white space": script(" \n\t "),
            "punctuation": script("… !!! ??? --- *** ((("),
            "seven words": script("one two three four five six seven"),
            "one word": script("buffalo " * 500),
            "three words": script("never ever again " * 200),
        }
    y, x = np.mgrid[:120, :160]

    def grey(values):
        return image(np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2))

    red = np.zeros((120, 160, 3), np.uint8)
    red[..., 0] = 255
    return {
        "white": grey(np.full((120, 160), 255.0)),
        "black": grey(np.zeros((120, 160))),
        "red": image(red),
        "gradient": grey(x * 255 / 159),
        "diagonal gradient": grey((x + y) * 255 / 278),
        "radial gradient": grey(255 - 2 * np.hypot(y - 60, x - 80)),
        "two tones": grey(np.where(x < 80, 0.0, 255.0)),
        "one pixel": image(np.full((1, 1, 3), 7, np.uint8)),
        "all frames white": image(*[np.full((60, 60, 3), 255, np.uint8)] * 3),
    }


def entries(stage, prints):
    """Fingerprints as an index holds them, each one a work of its own."""
    files = tuple(
        WorkFile(f"work-{n:02d}", f"file-{n:02d}", f"{n:064x}", stage.kind.value, "x", 1)
        for n in range(len(prints))
    )
    batches = [one.rows for one in prints]
    rows = pa.Table.from_batches(batches, schema=stage.schema)
    position = np.repeat(np.arange(len(prints)), [batch.num_rows for batch in batches])
    return StageEntries(rows.combine_chunks(), position.astype(np.int64), files)


def same_bytes(one, other):
    return (
        isinstance(one, Fingerprint)
        and isinstance(other, Fingerprint)
        and one.rows.equals(other.rows)
        and dict(one.facts) == dict(other.facts)
    )
