"""Pictures: bytes to pixels, with colours, orientation and frames as a viewer shows them."""
