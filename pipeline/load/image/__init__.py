"""Images: bytes to sRGB pixels, with colours, orientation and frames as a viewer shows them."""
