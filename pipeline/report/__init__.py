"""What a person reads of a run: the page, its cards and overlays, explanations, notebooks.

It imports `results`, `risk` and what these may import.
"""
