"""The deterministic world: a counter, its cards and its bank in one process.

Everything that decides is the production code; readers, line and clock are stand-ins
that can fail at every point, each time in the same place.
"""
