"""Loading: bytes of a file to pixels or text, or a fault that says why not."""
