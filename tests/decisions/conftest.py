"""Places for a record of decisions, in either database."""

from databases import place, postgresql, postgresql_place

__all__ = ["place", "postgresql", "postgresql_place"]
