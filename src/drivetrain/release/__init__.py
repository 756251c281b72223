"""Stage 5: from a Report to a signed, approved Release."""
