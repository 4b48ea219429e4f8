"""Nightly scans: drops judged again only where something changed (docs/nightly.md)."""
