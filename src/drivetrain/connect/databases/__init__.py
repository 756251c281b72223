"""Databases by their SQLAlchemy dialect."""
