"""Ray Serve with the pipeline, one replica."""

import signal
import sys
from pathlib import Path

import joblib
import pandas as pd
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1)
class Predict:
    def __init__(self, file: Path) -> None:
        self.pipeline = joblib.load(file)

    async def __call__(self, request: Request) -> list[float]:
        rows = pd.DataFrame(await request.json(), dtype=float)
        return self.pipeline.predict_proba(rows)[:, 1].tolist()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ray.init(num_cpus=1, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Predict.bind(Path(sys.argv[1]) / "pipeline.joblib"), route_prefix="/predict")
    signal.pause()
