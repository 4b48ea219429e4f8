"""The reference index: protected works, their fingerprints, and the searches over them.

This package knows nothing of drops, assets or risk; `pipeline` imports it, never the reverse.
"""
