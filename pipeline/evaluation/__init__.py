"""How good Clearance is on labelled pairs, and the fit of its calibration to them.

It imports `screening` and what it may import.
"""
