"""Loading: the bytes of a file to pixels or text, or a fault that says why not.

`load.load` decodes one file in this process. Files of unknown origin are decoded in worker
processes with limits on memory and time (`workers.pool`). `formats.recognise` tells what a file is;
`image/` and `script/` have the decoders.

It imports `core` and `reference_index`.
"""
