"""Pictures and scripts for scans: files as they are, and any number of others made from them."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.copy_set import no_larger, picture_files, picture_of
from benchmarks.passage_texts import read_text, text_files
from training.synthetic import picture

LONGEST_SIDE = 512
SCRIPT_WORDS = (200, 1_200)

_WORDS = tuple(
    head + tail
    for head in ("lan", "mer", "tor", "vel", "sab", "quin", "har", "dro", "wes", "pil")
    for tail in ("tern", "ido", "ash", "orel", "umi", "est", "ane", "ibor", "ock", "ully")
)


class Material:
    """Files for drops and works, by number: a seed and a number give the same bytes each time.

    Args:
        images, texts: folders of real ones; without, pictures are drawn and scripts are of words
            drawn at random.
        seed: of everything that is drawn.
    """

    def __init__(self, images: Sequence[Path], texts: Sequence[Path], seed: int) -> None:
        self._seed = seed
        self._pictures = picture_files(images)
        self._texts = text_files(texts)
        if images and not self._pictures:
            raise SystemExit("There are no pictures in the folders that --images names.")
        if texts and not self._texts:
            raise SystemExit("There are no texts in the folders that --texts names.")
        self._decoded: dict[Path, np.ndarray] = {}
        self._words: dict[Path, list[str]] = {}
        random.Random(seed).shuffle(self._pictures)
        random.Random(seed).shuffle(self._texts)

    @property
    def named(self) -> str:
        """What it is made of, in words."""
        pictures = f"{len(self._pictures):,} pictures" if self._pictures else "drawn pictures"
        texts = f"{len(self._texts):,} scripts" if self._texts else "scripts of drawn words"
        return f"{pictures} and {texts}"

    def picture(self, number: int) -> tuple[str, bytes]:
        """The name and bytes of a picture: the first are the files as they are, the others light
        edits of them (a crop, compressed anew).
        """
        if number < len(self._pictures):
            file = self._pictures[number]
            return f"{number:05d}{file.suffix.lower()}", file.read_bytes()
        rng = random.Random(f"{self._seed} picture {number}")
        pixels = self._pixels(number)
        height, width = pixels.shape[:2]
        top, left = (int(rng.uniform(0, 0.12) * side) for side in (height, width))
        cropped = pixels[top:, left:]
        sink = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(cropped)).save(
            sink, "JPEG", quality=rng.randint(70, 95)
        )
        return f"{number:05d}.jpg", sink.getvalue()

    def script(self, number: int) -> tuple[str, bytes]:
        """The name and bytes of a script: the first are the files as they are, the others excerpts
        of them.
        """
        if number < len(self._texts):
            file = self._texts[number]
            return f"{number:05d}{file.suffix.lower()}", file.read_bytes()
        rng = random.Random(f"{self._seed} script {number}")
        length = rng.randint(*SCRIPT_WORDS)
        if not self._texts:
            words = [rng.choice(_WORDS) for _ in range(length)]
        else:
            whole = self._text(rng.choice(self._texts))
            start = rng.randrange(max(1, len(whole) - length))
            words = whole[start : start + length]
        lines = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
        return f"{number:05d}.txt", ("\n".join(lines) + "\n").encode()

    def _pixels(self, number: int) -> np.ndarray:
        if not self._pictures:
            return picture(number, 160)
        file = self._pictures[number % len(self._pictures)]
        if file not in self._decoded:
            decoded = picture_of(file, LONGEST_SIDE)
            small = np.full((64, 64, 3), number % 251, np.uint8) if decoded is None else decoded
            self._decoded[file] = no_larger(small, LONGEST_SIDE)
        pixels = self._decoded[file]
        if min(pixels.shape[:2]) < 64:
            pixels = cv2.resize(pixels, (128, 128), interpolation=cv2.INTER_NEAREST)
        return pixels

    def _text(self, file: Path) -> list[str]:
        if file not in self._words:
            text = read_text(file)
            self._words[file] = text.text.split() if text is not None else list(_WORDS)
        return self._words[file]
