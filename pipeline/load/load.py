"""Decodes one file in this process: its bytes to pixels or text, or a fault."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.load.formats import HEAD_BYTES, recognise
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedImage, LoadedScript
from pipeline.load.opening import digest_of, open_regular, unreadable
from pipeline.load.refusal import FileRefusedError, one_line

OUT_OF_MEMORY = Fault(
    Reason.TOO_LARGE,
    "decoding the file takes more memory than limits.max_worker_bytes of the configuration allows, "
    "or than the machine has; raise it, or screen the file on a larger machine",
)


def load(asset: Asset, limits: Limits) -> LoadedImage | LoadedScript | Fault:
    """The asset's pixels or text, or why they can't be had. Never raises for a bad file.

    The file is hashed again. If its SHA-256 is not `asset_id`, the asset is refused, so that a row
    never describes other content than the one it identifies.

    Args:
        asset: as discovered; one with a fault returns that fault.
        limits: on sizes.
    """
    if asset.fault is not None:
        return asset.fault
    try:
        return _load(asset, limits)
    except FileRefusedError as refused:
        return refused.fault
    except OSError as error:
        return unreadable(error).fault
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception as error:  # decoders raise anything, and a bad file has to become a row
        return Fault(
            Reason.CORRUPT,
            f"the file can't be decoded ({type(error).__name__}: {one_line(error)}); it is "
            "damaged, or uses its format in a way that is not supported",
        )


def _load(asset: Asset, limits: Limits) -> LoadedImage | LoadedScript:
    with open_regular(asset.file) as stream:
        if digest_of(stream, limits.max_file_bytes)[0] != asset.asset_id:
            raise FileRefusedError(
                Reason.UNREADABLE,
                "the file changed while it was being screened; screen it again when it no longer "
                "changes",
            )
        stream.seek(0)
        name = Path(asset.file).name
        kind, file_format, fault = recognise(name, stream.read(HEAD_BYTES), stream)
        if fault is not None:
            raise FileRefusedError(fault.reason, fault.detail)
        if file_format is None:
            raise AssertionError("a file without a fault has a format")
        # Imported here: the process that starts workers imports this module, but no decoders.
        if kind is Kind.IMAGE:
            from pipeline.load.image.images import load_image

            return load_image(stream, file_format, limits)
        from pipeline.load.script.scripts import load_script

        return load_script(stream, file_format, limits)
