"""The prediction server: its own process, the hot path."""
