"""The commands of ``raseed-terminal`` that have a file of their own."""
