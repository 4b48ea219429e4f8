"""XML that can't harm: no document types, so no entities that grow or reach for other files.

Nor more elements than memory holds: a document of bare tags takes far more room than its bytes.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError, one_line

MAX_MARKS = 10_000_000
"""Tags and attributes of one document, at about 100 bytes of memory each once parsed."""


def parse_xml(data: bytes, what: str) -> Element:
    """The outermost element of an XML document.

    Args:
        data: the whole document.
        what: its name in messages.

    Raises:
        FileRefusedError: CORRUPT if it is not well formed, or declares a document type; TOO_LARGE
            if it has more tags and attributes than are held.
    """
    # Counted by the characters that they can't do without, which bounds them from above.
    marks = data.count(b"<") + data.count(b"=")
    if marks > MAX_MARKS:
        raise FileRefusedError(
            Reason.TOO_LARGE,
            f"{what} has {marks:,} signs of tags and attributes, more than the "
            f"{MAX_MARKS:,} that are read; save the script in parts",
        )
    try:
        root: Element = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise FileRefusedError(
            Reason.CORRUPT,
            f"{what} declares a document type (DTD), which is refused because it can hide "
            "attacks; save it again from the program that made it",
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise FileRefusedError(
            Reason.CORRUPT,
            f"{what} is not well-formed XML ({one_line(error)}); it is damaged or was cut off; "
            "fetch it again",
        ) from error
    return root


def local_name(element: Element) -> str:
    """An element's name without its namespace; empty for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
