"""Every command exists, explains itself with an example, and answers a machine in JSON."""

import ast
import re
import shlex

import click
import pytest

from drivetrain.cli.main import cli

PROMISED = {
    *("init", "demo", "doctor", "run", "plan", "ls", "show", "trace"),
    *("ingest", "prepare", "train", "validate", "release", "approve", "verify", "deploy", "serve", "score", "monitor"),
}


def _leaves(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{' '.join((*path, name))} is listed, but there is no such command"
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


LEAVES = dict(_leaves(cli))


def test_every_promised_verb_exists():
    assert set(LEAVES) >= PROMISED


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_explains_itself_with_an_example_that_parses(name):
    command = LEAVES[name]
    examples = re.findall(r"^\s+drivetrain (.+)$", command.help.partition("Examples:")[2], re.MULTILINE)
    assert examples, f"the help of {name} holds no example"
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words[: len(name.split())] == name.split()
        command.make_context(name, words[len(name.split()) :])  # raises when click would refuse it
    assert len(command.help.partition("Examples:")[0].strip()) > 20


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_takes_json_project_and_actor(name):
    options = {option for parameter in LEAVES[name].params for option in parameter.opts}
    assert {"--json", "--project", "--as"} <= options


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_of_a_command_is_explained(name):
    options = [parameter for parameter in LEAVES[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help and not isinstance(option.type, click.Choice)] == []


def test_every_branch_of_a_command_knows_json(product):
    """A command that prints for a person asks first whether a machine reads."""
    deaf = [
        f"{source.at(function)} {function.name}"
        for source in product
        if source.room == "cli"
        for function in source.nodes(ast.FunctionDef)
        if _is_command(function) and "json" not in ast.unparse(function) and "_run(" not in ast.unparse(function)
    ]
    assert [place for place in deaf if not place.endswith(" serve")] == []


def _is_command(function):
    return any(
        "command(" in ast.unparse(mark) and ".command" not in ast.unparse(mark) for mark in function.decorator_list
    )
