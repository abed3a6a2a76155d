"""Every fault at every point of a story, and every pair of faults, each recovered."""
