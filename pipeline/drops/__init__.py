"""Where assets come from: folders, single files and object storage, and what lies in them.

It imports `core`, `runtime`, `load`, `decisions` and `reference_index`.
"""
