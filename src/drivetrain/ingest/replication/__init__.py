"""Logical replication of PostgreSQL."""
