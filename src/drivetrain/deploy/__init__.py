"""Stage 6: from a Release to a Deployment, on a target."""
