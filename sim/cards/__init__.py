"""Simulated purse and customs card: complete card applications on a torn-safe memory.

Written from the card profile alone. Only the vocabulary (`card.profile`, `card.sw`) is
shared with the code that talks to cards, so that neither can hide the other's mistakes.
"""
