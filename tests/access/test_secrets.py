"""Credentials by reference."""

import pytest

from drivetrain.access.secrets import KnownSecrets
from drivetrain.core.credentials import NoSecrets, SecretRef
from drivetrain.core.errors import NotFound


def test_a_credential_lies_in_the_environment_or_in_a_file(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    known = KnownSecrets({"PG_PASSWORD": "hush"}, tmp_path)
    assert known.get(SecretRef(env="PG_PASSWORD")) == "hush"
    assert known.get(SecretRef(file="token")) == "s3cret"
    (tmp_path / "token").write_text("renewed")
    assert known.get(SecretRef(file="token")) == "renewed"


@pytest.mark.parametrize("ref", [SecretRef(env="NOT_THERE"), SecretRef(env="EMPTY"), SecretRef(file="not-there")])
def test_one_that_is_missing_is_told_without_a_guess(tmp_path, ref):
    for secrets in (KnownSecrets({"EMPTY": ""}, tmp_path), NoSecrets()):
        with pytest.raises(NotFound) as caught:
            secrets.get(ref)
        assert (caught.value.code, caught.value.where) == ("secret_missing", str(ref))


@pytest.mark.parametrize("said", [{}, {"env": "A", "file": "b"}, {"value": "in the clear"}])
def test_a_reference_is_one_place(said):
    with pytest.raises(ValueError, match=r"one of them|Extra inputs"):
        SecretRef.model_validate(said)
