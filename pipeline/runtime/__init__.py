"""How a long run behaves: progress, rate and time left, logs, signals, why it failed.

It imports `core` and `reference_index`.
"""
