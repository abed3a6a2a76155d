"""Bytes as a bad line, a broken modem or a hostile peer sends them, by the million."""
