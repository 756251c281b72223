"""The prediction server as a process: ready or told why not, stopped on leaving."""

import sys
from dataclasses import fields

import pytest

from drivetrain.connect.http.settings import Tls
from drivetrain.core.alarms import AlarmWatch
from drivetrain.core.entities import EntityPages
from drivetrain.core.entity_view import EntityView, FlagRule
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.items import RecommendSpec
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.core.reading import PaperReading
from drivetrain.core.review_queue import ReviewRule
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.service import CanarySpec, ReviewSpec, ServiceSpec, TlsSpec
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.engine.serving import Server, server_command, server_settings
from drivetrain.ops.shown import ShownRules
from drivetrain.serve.__main__ import read_settings
from drivetrain.serve.settings import ServerSettings, ServiceSettings

STAND_IN = """
import json, os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1"}))
signal.pause()
"""


UNLIKE = ServiceSpec(
    name="loans", host="127.0.0.2", port=9000, workers=3, grpc_port=9001,
    tls=TlsSpec(certificate="pem/a.pem", key="pem/a.key"), cors_origins=("https://desk.example",), max_connections=2,
    max_header_bytes=2048, max_body_bytes=4096, max_nesting=5, max_rows=6, max_explained_rows=7, max_waiting_rows=8,
    max_waiting_requests=9, deadline_seconds=0.1, head_seconds=0.2, body_seconds=0.3, idle_seconds=0.4,
    write_seconds=0.5, requests_per_second=0.6, rows_per_day=10, durability="power", roll_seconds=0.7,
    drain_seconds=0.8, hang_seconds=0.9, shadow_load=0.01, canary=CanarySpec(rows=11),
    documents="mail", recommend=RecommendSpec(in_stock=False, remember_days=8),
    review=ReviewSpec(keys=("desk",), score=(0.4, 0.6)),
    entities=EntityPages(until="/", hide=("age",)),
)  # fmt: skip


def flat(settings):
    """Every setting by its name, wherever it belongs."""
    found = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "services":
            found |= flat(value[0])
        elif field.name == "limits":
            found |= flat(value)
        else:
            found[field.name] = value
    return found


def test_every_setting_of_the_project_file_reaches_the_server(project):
    told = {name: getattr(UNLIKE, name) for name in ServiceSpec.model_fields}
    assert [name for name, field in ServiceSpec.model_fields.items() if told[name] == field.default] == []
    sources = {**project.spec.sources, "mail": DocumentsSource(kind="documents", path="mail/*")}
    outlets = {
        name: FilesOutlet(kind="files", path="out", alarm=AlarmWatch(flags=2, of=3, by=by))
        for name, by in (("inspections", ""), ("others", "caller"))
    }
    spec = project.spec.model_copy(update={"service": UNLIKE, "sources": sources, "outlets": outlets})
    settings = flat(server_settings([(project.home, spec)], host=None, port=None))
    assert settings.pop("tls") == Tls(project.home / "pem" / "a.pem", project.home / "pem" / "a.key")
    assert settings.pop("canary") == CanaryRule(rows=11)
    assert settings.pop("home") == project.home
    assert settings.pop("recommend") == ShownRules(in_stock=False)
    assert settings.pop("review") == ReviewRule(keys=("desk",), score=(0.4, 0.6))
    assert settings.pop("remember_days") == 8
    assert (settings.pop("documents"), settings.pop("tagger")) == (PaperReading(), "")
    assert settings.pop("forecasts") is False
    assert settings.pop("entities") == EntityView(until="/", hide=("age",), alarms={"inspections": FlagRule(2, 3)})
    apart = ("tls", "canary", "recommend", "review", "documents", "entities")
    assert settings == {name: value for name, value in told.items() if name not in apart}


def test_defaults_of_the_project_file_are_those_of_the_server(project):
    spec = project.spec.model_copy(update={"service": ServiceSpec()})
    settings = server_settings([(project.home, spec)], host=None, port=None)
    assert settings == ServerSettings((ServiceSettings(project.home, "small-risk"),))


def test_the_command_line_stands_before_the_file(project):
    settings = server_settings([(project.home, project.spec)], host="127.0.0.3", port=0, workers=2)
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.3", 0, 2)
    command = server_command(settings)
    assert command[1:3] == ["-m", "drivetrain.serve"]
    assert read_settings(command[3:]) == settings


def test_several_services_share_what_the_first_one_says_of_the_server(project, tmp_path):
    first = project.spec.model_copy(update={"service": ServiceSpec(port=7, max_rows=1)})
    second = project.spec.model_copy(update={"service": ServiceSpec(name="cards", port=8, max_rows=2)})
    settings = server_settings([(project.home, first), (tmp_path, second)], host=None, port=None)
    assert settings.port == 7
    assert [(each.home, each.name, each.max_rows) for each in settings.services] == [
        (project.home, "small-risk", 1), (tmp_path, "cards", 2)
    ]  # fmt: skip


def test_two_services_of_one_name_are_refused(project, tmp_path):
    with pytest.raises(InvalidInput, match="two services of this server are called small-risk") as refused:
        server_settings([(project.home, project.spec), (tmp_path, project.spec)], host=None, port=None)
    assert refused.value.code == "service_twice"


def test_server_is_ready_on_entering_and_gone_on_leaving(tmp_path):
    ready = tmp_path / "ready.json"
    with Server([sys.executable, "-c", STAND_IN, str(ready)], ready) as server:
        assert server.url == "http://127.0.0.1:1"
        process = server._process
        assert process.poll() is None
    assert process.poll() is not None


def test_server_that_ends_at_once_is_told(tmp_path):
    ready = tmp_path / "ready.json"
    ready.write_text('{"pid": 1, "url": "http://of-another-process"}')
    with pytest.raises(Transient, match="did not become ready"), Server([sys.executable, "-c", ""], ready):
        pass
