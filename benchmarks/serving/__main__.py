"""``python benchmarks/serving``."""

import sys
from pathlib import Path

if not __package__:  # then the folder itself is on the path, not the one that holds the package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from serving.run import main

main()
