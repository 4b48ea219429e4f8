"""What every package may say: records, errors, names of files, checks of what users wrote, and the
environment that a run records.

It imports `reference_index` alone.
"""
