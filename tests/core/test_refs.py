import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.refs import Kind, Ref

NAMES = st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)
VERSIONS = st.from_regex(r"[A-Za-z0-9]+", fullmatch=True)


@given(st.sampled_from(Kind), NAMES, VERSIONS)
def test_ref_is_read_back_from_its_text(kind, name, version):
    ref = Ref(kind, name, version)
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "dataset", "dataset/x", "nothing/x@1", "dataset/x@", "dataset/x@1\n", "/@"])
def test_other_text_is_refused(text):
    with pytest.raises(InvalidInput, match="not a reference"):
        Ref.parse(text)
