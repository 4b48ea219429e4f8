"""The routes of the review page, and the payloads of their requests."""
