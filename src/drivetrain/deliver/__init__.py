"""Predictions brought to where they are used: offline batches, files or tables in, tables or files out."""
