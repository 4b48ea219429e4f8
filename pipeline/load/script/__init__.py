"""Scripts: the bytes of a file to text and its content spans, a module for each kind of format.

A new format is a module here and three lines: its suffix in `SCRIPT_SUFFIXES` of
`pipeline/load/formats.py` (and in `PLAIN_TEXT` there, if it is plain text), its reader in
`scripts.py`, and its name for people in `FORMATS` of `pipeline/core/wording/text.py`. A subtitle
format, for example, is a function that returns the spans of spoken lines, as in `subtitles.py`, and
an entry in `_SPANS_OF_PLAIN_TEXT`.
"""
