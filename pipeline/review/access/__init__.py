"""Who may see the review page and decide on it: people, sessions, CSRF."""
