"""The routes of the review page, and the bodies of their requests."""
