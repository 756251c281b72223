"""The client and the prediction server: they understand each other."""

import shutil
from datetime import UTC, datetime

import pytest

from drivetrain.client import Client, Label
from drivetrain.core.artifacts import Deployment
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.engine.serving import Server

ROWS = [{"age": 20 + number % 60, "income": 900.0 + number, "home": "rent"} for number in range(2500)]


@pytest.fixture(scope="module")
def live(_released_once, tmp_path_factory):
    """A project whose service runs: the server's address, a key, the project."""
    folder = tmp_path_factory.mktemp("client") / "small-risk"
    shutil.copytree(_released_once, folder, symlinks=True)
    project = Project(folder, Settings())
    project.approve(project.release().ref, "read")
    project.deploy(project.release().ref)
    key = project.add_key("client")
    ready = project.catalog.state / "run" / f"{project.spec.service_name}.json"
    with Server(project.server_command(port=0), ready) as server:
        yield server.url, key, project
    project.catalog.close()


@pytest.fixture
def client(live):
    url, key, _ = live
    with Client(url, key, deadline=60) as made:
        yield made


def test_predictions_and_the_release_that_made_them(client, live):
    answer = client.predict([{"age": 22, "income": 900.0, "home": "rent"}, {"age": 64, "income": None, "home": "own"}])
    young, old = answer.predictions
    assert 0 <= old.score < young.score <= 1
    assert young.id != old.id
    assert young.reasons == ()
    assert answer.release == str(live[2].catalog.latest(Deployment, "small-risk").champion) == client.release()


def test_reasons(client):
    answer = client.predict(ROWS[:150], explain=True)
    assert len(answer.predictions) == 150, "a hundred may be explained at a time"
    reasons = answer.predictions[0].reasons
    assert {reason.field for reason in reasons} <= {"age", "income", "home"}
    assert [abs(reason.effect) for reason in reasons] == sorted(
        (abs(reason.effect) for reason in reasons), reverse=True
    )


def test_a_long_list_is_answered_in_order(client):
    answers = client.predict(ROWS)
    assert len({prediction.id for prediction in answers.predictions}) == 2500
    some = [0, 999, 1000, 2499]
    again = client.predict([ROWS[number] for number in some])
    assert [answers.predictions[number].score for number in some] == [found.score for found in again.predictions]


def test_a_stream_gives_what_predict_gives(client):
    streamed = list(client.stream(iter(ROWS)))
    assert [prediction.score for prediction in streamed] == [found.score for found in client.predict(ROWS).predictions]
    assert len({prediction.id for prediction in streamed}) == 2500


def test_a_stream_stops_at_the_row_that_is_wrong(client):
    rows = [*ROWS[:1200], {"age": "old"}, *ROWS[:10]]
    taken = []
    stream = client.stream(rows)
    with pytest.raises(InvalidInput) as caught:
        taken.extend(iter(lambda: next(stream), None))
    assert caught.value.code == "field_type"
    assert "1200" in caught.value.where
    assert len(taken) <= 1200


def test_labels_are_recorded(client):
    predictions = client.predict(ROWS[:30]).predictions
    known = datetime(2026, 3, 1, tzinfo=UTC)
    assert client.labels(Label(found.id, label=found.score > 0.5, at=known) for found in predictions) == 30
    client.label(predictions[0].id, label=True)


def test_a_mistake_is_told_with_its_place(client):
    with pytest.raises(InvalidInput) as caught:
        client.predict([*ROWS[:1100], {"age": "old", "home": "rent"}])
    assert (caught.value.code, caught.value.where) == ("field_type", "rows[1100].age")
    with pytest.raises(InvalidInput) as caught:
        client.label("not an id", label=True)
    assert caught.value.where == "labels[0].prediction_id"


def test_a_key_that_is_not_known_is_forbidden(live):
    with Client(live[0], "dtk_somebody-elses") as stranger, pytest.raises(Forbidden) as caught:
        stranger.predict(ROWS[:1])
    assert caught.value.code == "key_unknown"
    assert "somebody" not in str(caught.value)


def test_the_service_by_its_name_and_one_that_is_not_there(live):
    url, key, _ = live
    with Client(url, key, service="small-risk") as named:
        assert named.ready()
        assert len(named.predict(ROWS[:2]).predictions) == 2
    with Client(url, key, service="nobody") as nobody:
        assert not nobody.ready()
        with pytest.raises(NotFound):
            nobody.predict(ROWS[:1])


def test_a_service_that_has_gone_is_not_ready(released):
    released.approve(released.release().ref, "read")
    released.deploy(released.release().ref)
    key = released.add_key("client")
    ready = released.catalog.state / "run" / f"{released.spec.service_name}.json"
    with Server(released.server_command(port=0), ready) as server, Client(server.url, key) as client:
        assert client.ready()
        server.stop()
        assert not client.ready()
