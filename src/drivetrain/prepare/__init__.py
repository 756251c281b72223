"""Stage 2: from Datasets to Features, by SQL."""
