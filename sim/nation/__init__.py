"""A nation to try the bank with: customs days, purses and counters, and its books."""
