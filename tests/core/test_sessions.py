"""A graph that loads is ready to run; bytes that are none are refused with the name of their file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.sessions import open_session


@settings(max_examples=20)
@given(content=st.binary(min_size=1, max_size=40))
def test_bytes_that_are_no_graph_are_refused(content):
    with pytest.raises(InvalidInput) as refused:
        open_session(content, "model.onnx")
    assert refused.value.code == "graph_unreadable"
    assert refused.value.where == "model.onnx"
