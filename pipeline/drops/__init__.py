"""Where assets come from: folders, single files and object storage.

`drop` opens a drop; `discover` lists and reads one on this machine, `object_drop` one in object
storage. It imports `core`, `runtime`, `load`, `decisions` and `reference_index`.
"""
