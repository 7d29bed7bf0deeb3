"""What other systems are told: the outbox that builds fill, and its delivery.

`delivery.deliver` sends what is due; the command line and Dagster call it.
"""
