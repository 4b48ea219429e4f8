"""Shared by every package: records, errors, file names, reading of configuration files, the
environment that a run records, and wording for people.

It imports only `reference_index`.
"""
