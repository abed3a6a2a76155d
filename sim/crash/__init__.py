"""Kills real processes at every write, command and message, and counts the money."""
