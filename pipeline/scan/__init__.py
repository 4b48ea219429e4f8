"""Nightly scans: drops are screened again only where something changed (docs/nightly.md).

It imports `screening` and what it may import.
"""
