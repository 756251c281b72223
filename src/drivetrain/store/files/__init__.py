"""Files of rows as people bring them: CSV, JSON lines, Parquet; plain or compressed; found by path, folder or glob."""
