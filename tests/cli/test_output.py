from dataclasses import dataclass
from pathlib import Path

from drivetrain.cli.output import coloured, plain
from drivetrain.core.artifacts import Dataset
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import Schema


@dataclass(frozen=True)
class Inner:
    path: Path
    kind: Kind


def test_artifact_is_an_object_with_its_ref():
    shown = plain(Dataset("loans", 3, "d", 10, 1, Schema(()), (Ref(Kind.MODEL, "m", "1"),)))
    assert shown["ref"] == "dataset/loans@3"
    assert shown["parents"] == ["model/m@1"]


def test_values_become_plain():
    assert plain({"a": (Inner(Path("/x"), Kind.MODEL),)}) == {"a": [{"path": "/x", "kind": "model"}]}
    assert plain(None) is None


def test_states_are_coloured_and_the_rest_is_escaped():
    assert coloured("fail") == "[red]fail[/]"
    assert coloured("[bold]") == r"\[bold]"
