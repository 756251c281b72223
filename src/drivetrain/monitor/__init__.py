"""Stage 7: from Predictions and Labels to a DriftReport."""
