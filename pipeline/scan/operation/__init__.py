"""How scans are operated: schedules, heartbeats, notifications."""
