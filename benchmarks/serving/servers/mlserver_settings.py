"""MLServer with the pipeline: its scikit-learn runtime, configured by two files, then `mlserver start`."""

import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
model = {
    "name": "bench",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": str(folder / "pipeline.joblib")},
}
place = folder / "mlserver"
place.mkdir()
(place / "model-settings.json").write_text(json.dumps(model))
(place / "settings.json").write_text(json.dumps({"parallel_workers": 0, "debug": False}))
