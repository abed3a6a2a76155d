"""The two card applications of Raseed, and the one door to the readers."""
