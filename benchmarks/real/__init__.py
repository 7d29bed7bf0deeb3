"""Real usage through the public road: landed by mapping, built, and compared with its source."""
