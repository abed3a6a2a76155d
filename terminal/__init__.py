"""The counter: screens, journal, payment flow, end of day."""
