"""Connections to other systems, which sources read from and outlets write to."""
