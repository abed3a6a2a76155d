"""Watching over a bank that runs: alarms, health, metrics, backups."""
