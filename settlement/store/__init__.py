"""The bank's database: its tables, its own rules, and the one door to it."""
