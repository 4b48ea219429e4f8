"""The list of items: filters, counts by filter, and order."""
