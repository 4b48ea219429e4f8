"""What a scan writes: tables, changes since the scan before, the page, notes."""
