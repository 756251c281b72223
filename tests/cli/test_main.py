"""The overview, its lazy commands, and what they share."""

import json

import click
import pytest
from click.testing import CliRunner

from drivetrain.cli.main import cli


def leaves(command, path=()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
    else:
        yield path, command


ALL = dict(leaves(cli))


def test_overview_names_every_verb_of_the_way():
    output = CliRunner().invoke(cli, ["--help"]).output
    verbs = "init demo run plan ingest prepare train validate release approve verify deploy serve monitor"
    for verb in verbs.split():
        assert verb in output


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_an_example_and_json(path):
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Examples:\n    drivetrain {' '.join(path)}" in result.output
    assert "--json" in result.output


def test_unknown_command_names_the_nearest():
    result = CliRunner().invoke(cli, ["trian"])
    assert result.exit_code == 2
    assert "Did you mean 'train'?" in result.output


def test_version_is_told():
    assert "drivetrain, version" in CliRunner().invoke(cli, ["--version"]).output


def test_error_is_json_for_a_machine(tmp_path):
    result = CliRunner().invoke(cli, ["plan", "--json", "--project", str(tmp_path)])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"]["code"] == "project_not_found"


def test_error_is_words_for_a_person(tmp_path):
    result = CliRunner().invoke(cli, ["plan", "--project", str(tmp_path)])
    assert result.exit_code == 4
    assert "error" in result.stderr
    assert "drivetrain init" in result.stderr
    assert result.stdout == ""


def test_bad_ref_is_a_usage_error(tmp_path):
    result = CliRunner().invoke(cli, ["show", "nothing"])
    assert result.exit_code == 2
    assert "kind/name@version" in result.stderr
