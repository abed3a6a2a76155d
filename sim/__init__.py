"""Simulated cards, modems and lines, and the worlds that wire everything."""
