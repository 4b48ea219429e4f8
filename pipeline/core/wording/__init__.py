"""Output for people: bands, counts and reasons in words, safe CSV, page templates."""
