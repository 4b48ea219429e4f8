"""Output for people: terms, counts and sentences, visible characters, safe CSV, page templates."""
