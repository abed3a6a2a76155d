"""The two command-line programs of the bank: ``raseed-bank`` and ``raseed-card``."""
