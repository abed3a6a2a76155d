"""The counter's program, killed at every write, card command and link message."""
