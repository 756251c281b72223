"""Iceberg tables: found by path or catalog, read by snapshot."""
