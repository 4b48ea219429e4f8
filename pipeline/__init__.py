"""Clearance: screen generated images and scripts for copyright risk.

The command is `clearance`; the steps are discover, load, fingerprint, search, verify, fuse, and
the risk table that a person reviews. Importing this package imports no model library.
"""
