"""Stage 1: from a source to a Dataset, each row exactly once."""
