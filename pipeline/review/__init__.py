"""The review page: the risk table in a browser, where people decide (docs/review.md).

It imports `report`, `results` and what these may import.
"""
