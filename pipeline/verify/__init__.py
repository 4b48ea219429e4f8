"""Verification: evidence between one asset and one candidate, compared with each other directly."""
