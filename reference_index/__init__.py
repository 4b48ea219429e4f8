"""The reference index: protected works, their fingerprints, and searches over these.

`pipeline` imports this package, never the reverse: there are no drops, assets or risks here.
"""
