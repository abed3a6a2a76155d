"""The proof of the bank's books, from their rows, trusting no stored sum."""
