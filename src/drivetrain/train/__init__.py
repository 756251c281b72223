"""Stage 3: from Features to a Model, by search."""
