"""How fast the prediction server is, against its peers and its limits: ``python benchmarks/serving``."""
