"""The bank's HTTP API: payment requests and the catalogue of services."""
