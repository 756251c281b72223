"""The command line. Commands are loaded when they are called, so that ``--help`` imports no data library."""

from __future__ import annotations

import importlib

import click

_SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "init": ("start:init", "Make a project folder from a pack."),
        "packs": ("packs:packs", "The use cases to start from, with their measured scores."),
        "demo": ("demo:demo", "From raw data to live, monitored predictions, on real data."),
        "doctor": ("look:doctor", "What this machine lacks, and the line that mends it."),
    },
    "Stages": {
        "run": ("stages:run", "Bring every stage up to date, from ingest to release."),
        "plan": ("stages:plan", "What is stale, and why."),
        "ingest": ("stages:ingest", "Load the sources, new rows only, under their contracts."),
        "prepare": ("stages:prepare", "Build the feature table from SQL."),
        "train": ("stages:train", "Search for the best model and export it."),
        "validate": ("stages:validate", "Measure the model against its gates; write the model card."),
        "release": ("stages:release", "Bundle and sign what passed."),
    },
    "Release and service": {
        "approve": ("governance:approve", "Sign a release as the other engineer."),
        "verify": ("governance:verify", "Check a release folder, offline, byte by byte."),
        "replay": ("rollout:replay", "What a release would have decided on recorded requests."),
        "deploy": ("rollout:deploy", "Let an approved release answer: all, a share, or unheard."),
        "promote": ("rollout:promote", "Let the challenger on trial answer everything."),
        "rollback": ("rollout:rollback", "End a trial, or go back to what served before."),
        "deployments": ("rollout:deployments", "What served, from when on, who decided it, and why."),
        "serve": ("service:serve", "Run the prediction server."),
        "score": ("score:score", "Score files or tables, offline; goes on after a kill."),
        "forecast": ("forecast:forecast", "What comes: reconciled, with intervals and orders."),
        "deliver": ("outlets:deliver", "Send predictions on: tables, files, queues, tickets."),
        "traffic": ("traffic:traffic", "Send held-back rows to the service, as usual or drifted."),
        "queue": ("review_queue:queue", "What waits for a person; show a case, answer it."),
        "monitor": ("service:monitor", "Drift and performance of the live service."),
    },
    "Look": {
        "sources": ("sources:sources", "List, check, test, sample and profile the sources."),
        "documents": ("documents:documents", "What is read of a document; learn to find its fields."),
        "contracts": ("contracts:contracts", "Changed sources that wait for a second person."),
        "outlets": ("outlets:outlets", "List and test the outlets; dead letters."),
        "entities": ("entities:entities", "Each machine or customer: predictions, alarms, sensors."),
        "ls": ("look:ls", "List artefacts."),
        "show": ("look:show", "Show one artefact."),
        "trace": ("look:trace", "From a prediction (or an artefact) back to its data."),
        "schema": ("look:schema", "The JSON schema of drivetrain.yaml, for editors."),
    },
    "Access": {
        "actors": ("governance:actors", "Who may sign and approve."),
        "keys": ("governance:keys", "API keys of the service."),
        "forget": ("governance:forget", "Delete what a person wrote to the service."),
    },
}
_COMMANDS = {name: target for section in _SECTIONS.values() for name, target in section.items()}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; the overview is written from a table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a project meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and give the command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"drivetrain.cli.{module}"), attribute)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with the nearest command named for an unknown one."""
        if args and args[0] not in _COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{guess}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, section by section."""
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="drivetrain", prog_name="drivetrain")
def cli() -> None:
    """Drivetrain carries an AI project from raw data to a governed, monitored prediction service.

    \b
    drivetrain demo                        see all of it, on 150,000 real loans
    drivetrain init my-risk --pack risk    start a project of your own
    """
