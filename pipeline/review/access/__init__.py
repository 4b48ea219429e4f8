"""Who may use the review page: people, sessions, roles, the CSRF check, host and body limits."""
