"""Loading: bytes of a file to pixels or text, or a fault that says why not.

`load` is the only door, and for files of others it is opened in a process of its own
(`pipeline.load.workers.pool`). Behind it one module reads each format; a new one is a reader here
and a line in `formats.recognise`.

It imports `core` and `reference_index`.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.load.formats import HEAD_BYTES, recognise
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedImage, LoadedScript
from pipeline.load.opening import digest_of, open_regular, unreadable
from pipeline.load.refusal import FileRefusedError, shown

__all__ = ["OUT_OF_MEMORY", "Limits", "load"]

OUT_OF_MEMORY = Fault(
    Reason.TOO_LARGE,
    "decoding the file takes more memory than limits.max_worker_bytes of the configuration allows, "
    "or than the machine has; raise it, or screen the file on a larger machine",
)


def load(asset: Asset, limits: Limits) -> LoadedImage | LoadedScript | Fault:
    """The asset's pixels or text, or why it has none to give. Never raises for a bad file.

    The file's bytes are hashed again: if they are not the ones that `asset_id` names, the asset is
    refused, so that a row never speaks of other content than it names.

    Args:
        asset: as discovered; one with a fault gives that fault.
        limits: what is too large.
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
    except Exception as error:  # decoders raise whatever they like, and a bad file is a row
        return Fault(
            Reason.CORRUPT,
            f"the file can't be decoded ({type(error).__name__}: {shown(error)}); it is damaged, "
            "or uses its format in a way that is not supported",
        )


def _load(asset: Asset, limits: Limits) -> LoadedImage | LoadedScript:
    with open_regular(asset.file) as stream:
        if digest_of(stream, limits.max_file_bytes)[0] != asset.asset_id:
            raise FileRefusedError(
                Reason.UNREADABLE,
                "the file changed while it was being screened; screen it again when it is at rest",
            )
        stream.seek(0)
        name = Path(asset.file).name
        kind, file_format, fault = recognise(name, stream.read(HEAD_BYTES), stream)
        if fault is not None:
            raise FileRefusedError(fault.reason, fault.detail)
        if file_format is None:
            raise AssertionError("a file without a fault has a format")
        # Imported here: configuration and discovery need this package, but no decoders.
        if kind is Kind.IMAGE:
            from pipeline.load.image.images import load_image

            return load_image(stream, file_format, limits)
        from pipeline.load.script.scripts import load_script

        return load_script(stream, file_format, limits)
