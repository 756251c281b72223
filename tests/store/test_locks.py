import os

import pytest

from drivetrain.core.errors import Transient
from drivetrain.store.locks import held


def test_one_holder_at_a_time(tmp_path):
    with held(tmp_path / "deep" / "lock", "the ingest of orders"):
        with (
            pytest.raises(Transient, match=f"process {os.getpid()} works on the ingest of orders"),
            held(tmp_path / "deep" / "lock", "the ingest of orders"),
        ):
            pass
        with held(tmp_path / "deep" / "other", "something else"):
            pass
    with held(tmp_path / "deep" / "lock", "the ingest of orders"):
        pass
