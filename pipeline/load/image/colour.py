"""Converts any of Pillow's modes to 8-bit sRGB: profiles, transparency, 16-bit greyscale."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from pipeline.load.refusal import one_line

WIDE_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
"""Greyscale with more than 8 bits a pixel."""

_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_PIXELS_AT_ONCE = 2**22
_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


CUT_OUT_SHARE = 0.02
"""Share of transparent pixels from which a picture is a cut-out: its background, white or black,
changes what it looks like."""


class Colours:
    """Converts the frames of one file to sRGB; caches transforms and collects notes.

    Attributes:
        notes: sentences on what was approximated or left out, without duplicates.
    """

    def __init__(self) -> None:
        self.notes: dict[str, None] = {}
        self._transforms: dict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = {}

    def note(self, sentence: str) -> None:
        """Adds a sentence, unless it is there already."""
        self.notes[sentence] = None

    def to_srgb(self, frame: Image.Image, profile: bytes | None) -> list[NDArray[np.uint8]]:
        """A decoded frame as uint8 (height, width, 3), transparency composited over white.

        A cut-out gives a second view, over black, since a copy may show it on a dark background.

        Args:
            frame: in any mode, its pixels loaded.
            profile: the ICC profile embedded in the file. It is applied with perceptual intent; a
                broken one, or one for another colour space, is ignored with a note.
        """
        colour, alpha = self._parts(frame)
        rgb = self._by_profile(colour, profile) if profile else None
        if rgb is None:
            if colour.mode == "CMYK":
                self.note(
                    "Its CMYK colours were converted without a usable colour profile, so they "
                    "are approximate."
                )
            rgb = colour.convert("RGB")
        if alpha is None:
            return [np.array(rgb, dtype=np.uint8)]
        share = float((np.asarray(alpha) < 128).mean())
        backgrounds = ("white", "black") if CUT_OUT_SHARE <= share < 1 else ("white",)
        views = []
        for background in backgrounds:
            canvas = Image.new("RGB", rgb.size, background)
            canvas.paste(rgb, mask=alpha)
            views.append(np.array(canvas, dtype=np.uint8))
        return views

    def _parts(self, frame: Image.Image) -> tuple[Image.Image, Image.Image | None]:
        """Colour as L, RGB, CMYK or LAB, and the alpha channel, None if all is opaque."""
        if frame.mode in WIDE_MODES:
            return self._deep_grey(frame)
        if frame.mode in ("La", "RGBa"):
            frame = frame.convert("LA" if frame.mode == "La" else "RGBA")
        if frame.has_transparency_data:
            if frame.mode == "LA":
                return frame.getchannel("L"), frame.getchannel("A")
            rgba = frame.convert("RGBA")
            return rgba.convert("RGB"), rgba.getchannel("A")
        if frame.mode == "1":
            return frame.convert("L"), None
        if frame.mode not in ("L", "RGB", "CMYK", "LAB"):
            return frame.convert("RGB"), None
        return frame, None

    def _deep_grey(self, frame: Image.Image) -> tuple[Image.Image, Image.Image | None]:
        values = np.asarray(frame)
        alpha = None
        transparent = frame.info.get("transparency")
        if isinstance(transparent, int):
            opaque = np.where(values == transparent, 0, 255).astype(np.uint8)
            alpha = Image.fromarray(opaque)
        tags = getattr(frame, "tag_v2", {})
        if frame.mode.startswith("I;16"):
            # Pillow unpacks 12 bits into 16 without scaling them.
            low, high = 0.0, 4095.0 if tags.get(_BITS_PER_SAMPLE) == (12,) else 65535.0
        else:
            low, high = self._range(values)
        scaled = _to_8_bits(values, low, high)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            scaled = (255 - scaled).astype(np.uint8)
        return Image.fromarray(scaled), alpha

    def _range(self, values: NDArray[np.generic]) -> tuple[float, float]:
        """Black and white level of int32 or float values: 0 to 1, 255 or 65535 if they fit."""
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        white_levels = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
        for white in white_levels:
            if low >= 0 and high <= white:
                return 0.0, white
        self.note(
            f"Its values reach from {low:g} to {high:g}; they were spread over black to white."
        )
        return low, high

    def _by_profile(self, colour: Image.Image, profile: bytes) -> Image.Image | None:
        if colour.mode == "L" and profile[16:20] == b"RGB ":
            colour = colour.convert("RGB")  # a grey picture saved with the monitor's profile
        key = (profile, colour.mode)
        if key not in self._transforms:
            self._transforms[key] = self._transform(profile, colour.mode)
        transform = self._transforms[key]
        if transform is None:
            return colour if colour.mode == "RGB" else None
        return ImageCms.applyTransform(colour, transform)

    def _transform(self, profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        """None if there is nothing to convert, or if the profile can't be used (noted)."""
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = source.profile.xcolor_space.strip()
            if _MODE_OF_SPACE.get(space) != mode:
                self.note(f"Its colour profile is for {space} and was ignored.")
                return None
            if mode == "RGB" and (source.profile.profile_description or "").startswith("sRGB"):
                return None
            return ImageCms.buildTransform(
                source,
                ImageCms.createProfile("sRGB"),
                mode,
                "RGB",
                renderingIntent=ImageCms.Intent.PERCEPTUAL,
            )
        except Exception as error:  # a broken profile does not make a picture unusable
            self.note(f"Its colour profile is broken and was ignored ({one_line(error)}).")
            return None


def scale_key_colour(image: ImageFile.ImageFile) -> None:
    """Scales the transparent colour of a PNG (tRNS, PNG 11.3.2.1) to that of its decoded pixels.

    Pillow keeps the value of the file, but decodes 2 and 4 bits to 8, and 16 bits of red, green and
    blue to their upper 8. To be called before the pixels are decoded.
    """
    key = image.info.get("transparency")
    raw_mode = image.tile[0].args if image.tile else None
    if isinstance(key, int) and raw_mode in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if raw_mode == "L;2" else 17)
    elif isinstance(key, tuple) and raw_mode == "RGB;16B":
        image.info["transparency"] = tuple(part >> 8 for part in key)


def _to_8_bits(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    out = np.zeros(values.shape, np.uint8)
    span = high - low
    if span <= 0:
        return out
    rows = max(1, _PIXELS_AT_ONCE // values.shape[1])
    for start in range(0, values.shape[0], rows):
        # float64, so that 32-bit integers keep their low bits until they are scaled.
        block = (values[start : start + rows].astype(np.float64) - low) * (255.0 / span)
        block = np.nan_to_num(block, nan=0.0, posinf=255.0, neginf=0.0)
        out[start : start + rows] = np.clip(np.rint(block), 0, 255).astype(np.uint8)
    return out
