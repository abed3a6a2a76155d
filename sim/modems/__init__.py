"""Simulated Hayes modems joined by a telephone line."""
