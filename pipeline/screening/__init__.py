"""Screening of one drop against one index: configuration, stages, rows, results.

It imports `report`, `results` and what these may import.
"""
