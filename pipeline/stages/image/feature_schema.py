"""The form in which local features are stored; apart from what makes them, so that it is quick to
import.
"""

from __future__ import annotations

import pyarrow as pa

FEWEST = 12
"""Features below which a picture is not judged."""

SCHEMA = pa.schema(
    [
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("aspect", pa.float32(), nullable=False),
        # For each feature: x and y as shares of 65535, size and angle as float16.
        pa.field("places", pa.binary(), nullable=False),
        # Each feature's coarse cell (uint16) and its product-quantized code (16 bytes), for
        # the search, and its descriptor at 4 bits a number (64 bytes), for verification.
        pa.field("cells", pa.binary(), nullable=False),
        pa.field("codes", pa.binary(), nullable=False),
        pa.field("descriptors", pa.binary(), nullable=False),
        # The picture in 128 × 128 grey levels.
        pa.field("reduced", pa.binary(), nullable=False),
        # The code (1024 bytes) of all the aggregated vector of all descriptors.
        pa.field("aggregate", pa.binary(), nullable=False),
    ]
)
