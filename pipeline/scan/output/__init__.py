"""The outputs of a scan: tables, changes since the previous scan, their page, notes."""
