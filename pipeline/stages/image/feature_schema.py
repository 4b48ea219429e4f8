"""The stored form of local features. A module of its own, so that registering the stage does not
import OpenCV.
"""

from __future__ import annotations

import pyarrow as pa

FEWEST = 12
"""Features below which the stage abstains: fewer agree by chance too often to mean anything."""

SCHEMA = pa.schema(
    [
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("aspect", pa.float32(), nullable=False),
        # For each feature: x and y as shares of 65535, size and angle as float16.
        pa.field("places", pa.binary(), nullable=False),
        # Each feature's coarse centroid (uint16) and product-quantized residual (16 bytes), for
        # candidates, and its descriptor at 4 bits a number (64 bytes), for verification.
        pa.field("cells", pa.binary(), nullable=False),
        pa.field("codes", pa.binary(), nullable=False),
        pa.field("descriptors", pa.binary(), nullable=False),
        # The thumbnail: 128 × 128 grey levels.
        pa.field("reduced", pa.binary(), nullable=False),
        # The code (1024 bytes) of the VLAD vector of all descriptors.
        pa.field("aggregate", pa.binary(), nullable=False),
    ]
)
