"""What a person reading a table would find odd: volumes, freshness, distributions, spikes.

Contracts, keys and reconciliations are dbt tests (`models/**/*.yml`, `tests/data/`).
"""
