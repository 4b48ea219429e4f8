"""One drop against one index: configuration, stages run in order, rows, results written.

It imports `report`, `results` and what these may import.
"""
