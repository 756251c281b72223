"""Settings travel as text from process to process, and come out as they went in."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.connect.http.settings import ConnectionLimits, Tls
from drivetrain.core.rollout import CanaryRule
from drivetrain.serve.__main__ import read_settings
from drivetrain.serve.order import Order
from drivetrain.serve.settings import ServerSettings, ServiceSettings, from_json, to_json

numbers = st.floats(0.01, 1e6)
paths = st.sampled_from([Path("home"), Path("/a b/ü"), Path("..")])
services = st.builds(
    ServiceSettings, home=paths, name=st.sampled_from(["loans", "cards"]), max_rows=st.integers(1, 10**6),
    deadline_seconds=numbers, requests_per_second=st.none() | numbers, rows_per_day=st.none() | st.integers(1),
    durability=st.sampled_from(["process", "power", "buffered"]),
    canary=st.builds(CanaryRule, rows=st.integers(1, 10**6), max_flipped=numbers),
)  # fmt: skip
servers = st.builds(
    ServerSettings, services=st.lists(services, min_size=1, max_size=3).map(tuple), port=st.integers(0, 65535),
    grpc_port=st.none() | st.integers(0, 65535), tls=st.none() | st.builds(Tls, paths, paths),
    cors_origins=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    limits=st.builds(ConnectionLimits, head_seconds=numbers, max_body_bytes=st.integers(1)),
)  # fmt: skip


@given(servers)
def test_a_server_gets_the_settings_it_was_given(settings: ServerSettings) -> None:
    assert read_settings([to_json(settings)]) == settings


@given(servers, st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_a_worker_gets_the_order_it_was_given(settings: ServerSettings, blamed: dict[str, str]) -> None:
    order = Order(settings, 3, 8080, "http://x", Path("run"), 8081, again=True, blamed=blamed)
    assert from_json(to_json(order), Order) == order


@pytest.mark.parametrize("text", ["", "[]", '{"services": 7}', '{"services": [], "port": "x"}'])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(text, ServerSettings)
