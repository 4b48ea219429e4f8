"""Limits of loading: the section `limits` of a configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Limits that keep one hostile or enormous file from exhausting the machine.

    A file beyond a limit becomes a row that names the limit. For some formats Pillow has limits of
    its own (TIFF, GIF, WebP: about 179 megapixels), which also apply.

    Attributes:
        max_file_bytes: size of a file, in bytes.
        max_pixels: pixels of one frame, and of all loaded frames of one file together.
        max_frames: frames loaded of an animation, or pages of a TIFF.
        max_animation_pixels: pixels decoded of an animation, including frames that are only passed.
        max_text_chars: characters of a script.
        max_unpacked_bytes: unpacked XML of a .docx, .fadein or .fdx, in bytes.
        max_pdf_pages: pages of a PDF.
        max_worker_bytes: memory limit of a worker process (RLIMIT_AS, address space), in bytes. Its
            libraries take about 300 MiB.
        max_load_seconds: time to decode a file, in seconds, plus one for every 4 MiB of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_file_bytes: int = Field(default=2**30, ge=1)
    max_pixels: int = Field(default=250_000_000, ge=1)
    max_frames: int = Field(default=100, ge=1)
    max_animation_pixels: int = Field(default=10_000_000_000, ge=1)
    max_text_chars: int = Field(default=50_000_000, ge=1)
    max_unpacked_bytes: int = Field(default=128 * 2**20, ge=1)
    max_pdf_pages: int = Field(default=5_000, ge=1)
    max_worker_bytes: int = Field(default=4 * 2**30, ge=512 * 2**20)
    max_load_seconds: int = Field(default=120, ge=1)
