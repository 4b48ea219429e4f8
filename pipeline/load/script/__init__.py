"""Scripts: the bytes of a file to text and its content spans, one module for each format.

A new format is a module here and two lines: its suffix in `SCRIPT_SUFFIXES` of
`pipeline/load/formats.py` (and in `PLAIN_TEXT` there, if it is plain text), and its reader in
`scripts.py`. A subtitle format, for example, is a module with a function that returns the spans of
spoken lines, as `srt.py`, and an entry in `_SPANS_OF_PLAIN_TEXT`.
"""
