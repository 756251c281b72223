from __future__ import annotations

import textwrap

import pytest

from drivetrain.core.project import Bound, GatesSpec, HookGate
from drivetrain.validate.hooks import custom


@pytest.fixture
def gates(world, monkeypatch: pytest.MonkeyPatch):
    """The results of custom gates in a file of the project, by name."""
    monkeypatch.syspath_prepend(world.catalog.home)

    def run(module: str, code: str, **bounds: Bound):
        (world.catalog.home / f"{module}.py").write_text(textwrap.dedent(code))
        hooks = {name: HookGate(hook=f"{module}.py:{name}", bound=bound) for name, bound in bounds.items()}
        return {result.gate: result for result in custom(world.evidence(GatesSpec(custom=hooks))).results}

    return run


def test_a_hook_measures_what_it_likes_and_its_bound_decides(gates):
    code = """
        def flagged(evidence):
            return evidence.decision.mean()
        def youngest(evidence):
            return min(evidence.test.inputs["age"].to_pylist())
        """
    found = gates("fine_gates", code, flagged=Bound(max=0.6), youngest=Bound(min=21))
    assert [result.verdict for result in found.values()] == ["pass", "fail"]
    assert found["custom:youngest"].measured.value == 18
    assert found["custom:flagged"].threshold == "at most 0.6"


def test_a_hook_may_give_an_interval(gates):
    code = """
        from drivetrain.core.artifacts import Estimate
        def gain(evidence):
            return Estimate("gain", 0.5, 0.1, 0.9, 10)
        """
    assert gates("estimate_gates", code, gain=Bound(min=0.2))["custom:gain"].verdict == "pass"
    assert gates("estimate_gates", code, gain=Bound(min=0.2, sure=True))["custom:gain"].verdict == "fail"


def test_a_hook_that_fails_in_any_way_is_a_failed_gate_beside_the_others(gates):
    code = """
        def broken(evidence):
            return {}["nothing"].anything
        def wordy(evidence):
            return "fine"
        def fine(evidence):
            return 1
        """
    bound = Bound(min=0)
    found = gates("broken_gates", code, broken=bound, wordy=bound, fine=bound, absent=bound)
    assert {name: result.verdict for name, result in found.items()} == {
        "custom:broken": "fail", "custom:wordy": "fail", "custom:fine": "pass", "custom:absent": "fail",
    }  # fmt: skip
    assert "raised KeyError: 'nothing'" in found["custom:broken"].detail
    assert "returned 'fine'" in found["custom:wordy"].detail
    assert "cannot load 'broken_gates.py:absent'" in found["custom:absent"].detail


def test_a_hook_file_that_is_not_python_is_a_failed_gate(gates):
    (result,) = gates("ugly_gates", "def (", gate=Bound(min=0)).values()
    assert result.verdict == "fail"
    assert "SyntaxError" in result.detail
