"""Operation of scans: schedules, heartbeats, notifications."""
