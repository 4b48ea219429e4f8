"""What a scan remembers of contents, so that the next judges only what changed."""
