"""The pieces the counter's screens are made of."""
