"""Drivetrain."""
