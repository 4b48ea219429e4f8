"""What people decide on rows of the risk table, and the record of it (docs/record.md).

It imports `core` and `reference_index`.
"""
