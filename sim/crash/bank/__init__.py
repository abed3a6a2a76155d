"""The bank's side killed at every write, message and answer, and what must hold."""
