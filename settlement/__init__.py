"""What is settled and how: payment records, ISO 8583, clearing, ledger, statements."""
