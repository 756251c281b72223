"""The whole way by hand, with the command line and a real server: from raw data to a traced prediction.

The pages under docs/ go the same way, each command a process of its own.
"""

import json
import subprocess
import sys

import httpx
import pytest
from tests.conftest import with_identities, write_small_project

from drivetrain.engine.serving import Server


@pytest.fixture
def folder(tmp_path):
    return write_small_project(tmp_path / "small-risk")


def read(done):
    return json.loads(done.stdout)


def test_from_raw_data_to_a_traced_prediction(folder, commands):
    def run(*arguments, code=0):
        return commands(*arguments, cwd=folder, code=code)

    run("actors", "add", "mia", "--role", "ml-engineer")
    run("actors", "add", "alex", "--role", "ai-engineer")
    for verb in ("ingest", "prepare", "train", "validate", "release"):
        assert read(run(verb, "--json"))["steps"][-1]["stage"] == verb
    assert read(run("plan", "--check", "--json"))["fresh"]
    release = read(run("ls", "release", "--json"))[0]["ref"]

    assert read(run("deploy", "--json", code=5))["error"]["code"]
    run("verify", code=5)
    assert "alex" in run("approve", "--as", "alex", "--comment", "read the model card").stdout
    assert "files are what was signed" in run("verify").stdout
    assert read(run("deploy", "--json"))["shares"][0]["release"] == release
    key = read(run("keys", "add", "shop", "--json"))["key"]

    import drivetrain as package

    project = package.open(folder)
    with Server(project.server_command(port=0), project.catalog.state / "run" / "small-risk.json") as server:
        rows = [{"age": 30, "income": 2500.0, "home": "rent"}, {"age": 71, "income": None, "home": "own"}]
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as client:
            answer = client.post("/v1/predict", json={"rows": rows}).raise_for_status().json()
            assert answer["release"] == release
            assert answer["predictions"][0]["score"] > answer["predictions"][1]["score"]
            ids = [prediction["id"] for prediction in answer["predictions"]]
            labels = [{"prediction_id": ids[0], "label": True}]
            client.post("/v1/labels", json={"labels": labels}).raise_for_status()
            client.post("/v1/predict", json={"rows": rows * 40}).raise_for_status()
        traced = read(run("trace", ids[0], "--json"))
    project.catalog.close()

    assert [step["what"] for step in traced["steps"]] == [
        "prediction", "deployment", "release", "report", "model", "features", "dataset", "code",
    ]  # fmt: skip
    facts = {step["what"]: dict(step["facts"]) for step in traced["steps"]}
    assert facts["release"]["signed by"].startswith("mia (ml-engineer)")
    assert facts["release"]["approved by"].startswith("alex (ai-engineer)")
    assert "age=30" in facts["prediction"]["inputs"]

    drift = read(run("monitor", "--json"))
    assert (drift["rows"], drift["labelled"]) == (82, 1)


def test_serve_without_a_deployment_says_what_to_do(folder, drivetrain):
    drivetrain("actors", "add", "alex", "--role", "ai-engineer", cwd=folder)
    done = drivetrain("serve", cwd=folder, code=4)
    assert "drivetrain deploy" in done.stderr


def test_serve_refuses_a_changed_release(released, drivetrain):
    released.approve()
    released.deploy()
    graph = released.catalog.folder(released.release().ref) / "model" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    done = drivetrain("serve", cwd=released.home, code=7)
    assert "model.onnx" in done.stderr


def test_a_server_of_several_services_starts_although_one_of_them_cannot_serve(released, tmp_path):
    released.approve()
    released.deploy()
    other = write_small_project(tmp_path / "other")
    file = other / "drivetrain.yaml"
    file.write_text(file.read_text().replace("project: small-risk", "project: other-risk"))
    with_identities(other).catalog.close()
    command = [sys.executable, "-m", "drivetrain", "serve", "--project", str(released.home), "--port", "0"]
    with Server([*command, "--also", str(other)], released.catalog.state / "run" / "small-risk.json") as server:
        health = httpx.get(f"{server.url}/v2/health/ready").raise_for_status().json()
    states = {service["service"]: service["state"] for service in health["services"]}
    assert states == {"small-risk": "ready", "other-risk": "quarantined"}
    assert health["status"] == "degraded"


def test_python_does_the_same(folder):
    script = (
        "import drivetrain\n"
        "from drivetrain.core.roles import Role\n"
        "project = drivetrain.open('drivetrain.yaml')\n"
        "project.add_actor('mia', Role.ML_ENGINEER)\n"
        "print(len(project.run().ran), project.plan().fresh)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", "True"]
