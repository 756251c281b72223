"""Stage 4: from a Model to a Report, by gates."""
