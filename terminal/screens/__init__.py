"""The counter's screens, one file each."""
