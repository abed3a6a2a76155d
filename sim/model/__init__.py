"""The model of a payment in Promela, and the runner that has Spin search it through."""
