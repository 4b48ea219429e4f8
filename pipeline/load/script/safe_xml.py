"""Parses untrusted XML: refuses document types (entity expansion, external entities).

The number of tags is limited too: a document of empty tags needs far more memory than its bytes.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError, one_line

MAX_MARKS = 10_000_000
"""Tags and attributes of one document; each takes about 100 bytes of memory when parsed."""


def parse_xml(data: bytes, what: str) -> Element:
    """The outermost element of an XML document.

    Args:
        data: the whole document.
        what: its name in messages, such as "the Final Draft file".

    Raises:
        FileRefusedError: CORRUPT if it is not well formed, or declares a document type; TOO_LARGE
            if it has more than `MAX_MARKS` tags and attributes.
    """
    # An upper bound: every tag has a `<`, every attribute a `=`.
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
