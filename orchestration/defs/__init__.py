"""What Dagster knows of the house: a file a concern; orchestration/definitions.py is the entry."""
