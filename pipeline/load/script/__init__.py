"""Scripts: bytes to text with its content spans, a module for each format."""
