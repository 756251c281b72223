"""Pure arithmetic on NumPy and Arrow: no clock, no disk, no network."""
