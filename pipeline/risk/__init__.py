"""From evidence to a calibrated risk, a band and reasons; what people suppressed.

It imports `stages`, `drops` and what these may import.
"""
