"""Who takes part, and how each is started: one process on one core, as its documentation says.

In commands and variables ``{bin}`` is the folder of the contestant's programs, ``{folder}`` that of the model,
``{port}`` where to listen and ``{spare}`` another free port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serving import formats
from serving.formats import Format
from serving.project import command

SERVERS = Path(__file__).with_name("servers")
DRIVETRAIN, LIMIT = "drivetrain", "limit"


@dataclass(frozen=True)
class Contestant:
    """A server to measure.

    ``packages`` names the file of its requirements; without one it runs in this environment. ``prepare`` runs once,
    before anything is timed. One that is ``slow`` gets one round; one without ``format`` answers a constant to
    anything; an ``extra`` one takes part with ``--all``. ``connections`` are asked of it besides the usual number.
    ``port`` is fixed only where the command says it otherwise.
    """

    name: str
    packages: str
    command: tuple[str, ...]
    path: str
    format: Format | None
    prepare: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False
    extra: bool = False
    connections: tuple[int, ...] = ()
    arrow: bool = False
    port: int | None = None


def _mlflow(kind: str) -> tuple[str, ...]:
    return _words(f"{{bin}}/mlflow models serve -m {{folder}}/mlflow-{kind} --env-manager local -p {{port}} -w 1")


def _bentoml(kind: str) -> tuple[str, ...]:
    return _words(f"{{bin}}/bentoml serve bentoml_{kind}:Predict --host 127.0.0.1 --port {{port}}")


def _uvicorn(application: str) -> tuple[str, ...]:
    return _words(f"{{bin}}/uvicorn {application}:app --port {{port}} --log-level warning --no-access-log")


def _granian(application: str) -> tuple[str, ...]:
    return _words(f"{{bin}}/granian {application}:app --interface rsgi --port {{port}} --loop uvloop --no-ws")


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


_MODEL = {"MODEL_FOLDER": "{folder}"}

PEERS = (
    Contestant(
        "mlflow", "mlflow", _mlflow("sklearn"), "/invocations", formats.MLFLOW,
        prepare="{bin}/python mlflow_sklearn.py {folder}", slow=True,
    ),
    Contestant(
        "mlflow.onnx", "mlflow", _mlflow("onnx"), "/invocations", formats.MLFLOW_ONNX,
        prepare="{bin}/python mlflow_onnx.py {folder}", slow=True, connections=(16,),
    ),
    Contestant(
        "bentoml", "bentoml", _bentoml("sklearn"), "/predict", formats.BENTOML,
        prepare="{bin}/python bentoml_sklearn.py {folder}", variables={"BENTOML_HOME": "{folder}/bentoml"}, slow=True,
    ),
    Contestant(
        "bentoml.onnx", "bentoml", _bentoml("onnx"), "/predict", formats.BENTOML,
        prepare="{bin}/python bentoml_onnx.py {folder}", variables={"BENTOML_HOME": "{folder}/bentoml"}, slow=True,
        extra=True, connections=(16,),
    ),
    Contestant(
        "mlserver", "mlserver",
        _words("{bin}/mlserver start {folder}/mlserver"), "/v2/models/bench/infer", formats.V2,
        prepare="{bin}/python mlserver_settings.py {folder}", slow=True, extra=True,
        variables={
            "MLSERVER_HOST": "127.0.0.1", "MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{spare}",
            "MLSERVER_METRICS_PORT": "{spare}",
        },
    ),
    Contestant(
        "ray serve", "ray", _words("{bin}/python ray_serve.py {folder} {port}"), "/predict", formats.LIST,
        slow=True, extra=True,
    ),
    Contestant(
        "fastapi + pandas + sklearn", "fastapi", _uvicorn("fastapi_sklearn"), "/predict", formats.LIST,
        variables=_MODEL, slow=True,
    ),
    Contestant(
        "fastapi + onnxruntime", "fastapi", _uvicorn("fastapi_onnx"), "/predict", formats.LIST,
        variables=_MODEL, connections=(16,),
    ),
    Contestant(
        "granian + onnxruntime", "granian", _granian("granian_onnx"), "/v1/predict", formats.DRIVETRAIN,
        variables=_MODEL,
    ),
    Contestant("granian, a constant", "granian", _granian("granian_constant"), "/v1/predict", None),
)  # fmt: skip


def ours(home: Path, key: str, port: int) -> tuple[Contestant, Contestant]:
    """Drivetrain with everything on, and its HTTP server answering a constant."""
    headers = {"Authorization": f"Bearer {key}"}
    everything = Contestant(
        DRIVETRAIN, "", tuple(command(home, port)), "/v1/predict", formats.DRIVETRAIN,
        headers=headers, connections=(16,), arrow=True, port=port,
    )  # fmt: skip
    return everything, Contestant(LIMIT, "", _words("{bin}/python constant.py {port}"), "/v1/predict", None)
