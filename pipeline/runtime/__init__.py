"""Services of a long run: progress with rate and time left, JSON logs, signals, failure messages.

It imports `core` and `reference_index`.
"""
