"""The review page: the risk table in a browser, where people decide (docs/review.md)."""
