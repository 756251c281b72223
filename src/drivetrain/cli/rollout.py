"""``replay``, ``deploy``, ``promote``, ``rollback`` and ``deployments``: what serves, from when on, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from drivetrain.cli.exits import NOT_LIVE, OUT_OF_BOUNDS
from drivetrain.cli.options import REF, Door, command
from drivetrain.cli.output import Plain, out, plain, print_json, print_table
from drivetrain.core.artifacts import Deployment
from drivetrain.core.refs import Ref

if TYPE_CHECKING:
    from drivetrain.deploy.replay_report import ReplayReport
    from drivetrain.engine.project import Project

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the history.")
_SEGMENTS = 8


class _Moment(click.ParamType[datetime]):
    """A time on the command line: ISO 8601, in UTC when it names no time zone."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse it; a mistake is a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write it as 2026-11-03T14:00 (UTC) or with a zone", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.argument("release", type=REF, required=False)
@click.option("--target", default=None, help="Where it serves; default local.")
@click.option("--shadow", type=float, metavar="SHARE", help="It gets a copy of this share of the rows, never answers.")
@click.option("--canary", type=float, metavar="SHARE", help="It answers this share, and is judged while it does.")
@click.option("--override", default="", metavar="REASON", help="Start the canary in spite of what the replay found.")
@_REASON
@command(
    "drivetrain deploy\n"
    "drivetrain deploy release/credit-risk@3fa9c2d1e0b4 --shadow 1\n"
    'drivetrain deploy release/credit-risk@3fa9c2d1e0b4 --canary 0.1 --reason "new bureau data"'
)
def deploy(
    door: Door,
    release: Ref | None,
    target: str | None,
    shadow: float | None,
    canary: float | None,
    override: str,
    reason: str,
) -> None:
    """Let an approved release (the newest by default) answer for the service. An unapproved one is refused.

    With --canary it is replayed over what was recorded first, and refused when it is out of the bounds of
    service.canary.
    """
    if shadow is not None and canary is not None:
        raise click.UsageError("--shadow and --canary are two ways to try a release; choose one")
    if target is not None and (shadow, canary) != (None, None):
        raise click.UsageError("a trial runs where the champion does: --target does not go with it")
    if override and canary is None:
        raise click.UsageError("--override goes with --canary")
    project = door.open()
    if canary is not None:
        _canary_lines_or_json(door, project, release, canary, reason, override)
    elif shadow is not None:
        _lines_or_json(door, project, project.shadow(release, shadow, reason))
    else:
        _lines_or_json(door, project, project.deploy(release, target or "local", reason))


@click.command()
@_REASON
@command('drivetrain promote\ndrivetrain promote --reason "two weeks without an alarm"')
def promote(door: Door, reason: str) -> None:
    """Let the challenger on trial answer everything, now, without waiting for the judge."""
    project = door.open(parse=False)
    _lines_or_json(door, project, project.promote(reason))


@click.command()
@click.option("--to", type=REF, metavar="REF", help="The deployment to go back to.")
@_REASON
@command('drivetrain rollback\ndrivetrain rollback --to deployment/credit-risk@3 --reason "complaints from the desk"')
def rollback(door: Door, to: Ref | None, reason: str) -> None:
    """End the trial that runs; without one, go back to the champion before. Both engineers may."""
    project = door.open(parse=False)
    _lines_or_json(door, project, project.roll_back(to, reason))


@click.command()
@click.option("--at", type=_Moment(), metavar="TIME", help="Who was serving then, such as 2026-11-03T14:00 (UTC).")
@command("drivetrain deployments\ndrivetrain deployments --at 2026-11-03T14:00 --json")
def deployments(door: Door, at: datetime | None) -> None:
    """What served, oldest first: from when on, who decided it, and why. The last line serves now."""
    project = door.open(parse=False)
    found = project.deployments() if at is None else (project.deployment_at(at),)
    if door.json:
        print_json(found if at is None else found[0])
    elif found:
        header = ("version", "since (UTC)", "by", "champion", "on trial", "why")
        print_table(header, [_line(each) for each in found], title=f"deployment/{found[0].name}@VERSION")
    else:
        out.print("nothing was deployed yet; [bold]next:[/] drivetrain deploy")


@click.command()
@click.argument("release", type=REF, required=False)
@click.option("--rows", type=int, default=None, help="How many of the newest recorded requests; default 100000.")
@click.option("--check", is_flag=True, help=f"Exit with {OUT_OF_BOUNDS} when a bound of the canary is broken.")
@command("drivetrain replay\ndrivetrain replay release/credit-risk@3fa9c2d1e0b4 --rows 10000 --check")
def replay(door: Door, release: Ref | None, rows: int | None, check: bool) -> None:
    """Score recorded requests with a release (the newest by default): which decisions flip, where, at which cost.

    Nothing that serves is changed. Inputs stay here.
    """
    project = door.open()
    if door.json:
        report = project.replay(release, rows)
        print_json(_replayed(project, report))
    else:
        from drivetrain.cli.progress import RunProgress  # not at the top: a rollback draws no bars

        with RunProgress(out) as progress:
            report = project.replay(release, rows, progress.watch("replay", project.spec.service_name))
        _show(project, report)
    if check and report is not None and report.findings:
        sys.exit(OUT_OF_BOUNDS)


def _canary_lines_or_json(
    door: Door, project: Project, release: Ref | None, share: float, reason: str, override: str
) -> None:
    if door.json:
        made = project.canary(release, share, reason, override=override)
        _lines_or_json(door, project, made.deployment, {"replay": _replayed(project, made.replay)})
        return
    from drivetrain.cli.progress import RunProgress  # not at the top: a rollback draws no bars

    with RunProgress(out) as progress:
        watched = progress.watch("replay", project.spec.service_name)
        made = project.canary(release, share, reason, override=override, progress=watched)
    _show(project, made.replay)
    _lines_or_json(door, project, made.deployment)


def _lines_or_json(door: Door, project: Project, deployment: Deployment, more: dict[str, Plain] | None = None) -> None:
    """Say what serves now, and wait until a running server has taken it up."""
    from drivetrain.engine.summary import summary
    from drivetrain.engine.uptake import await_uptake

    uptake = await_uptake(deployment, project.catalog)
    if door.json:
        said = plain(deployment)
        print_json({**(said if isinstance(said, dict) else {}), "uptake": plain(uptake), **(more or {})})
    else:
        out.print(f"[green]✓[/] {deployment.ref} {escape(summary(deployment))}")
        mark = {"live": "[green]✓[/]", "late": "[red]✗[/]", "no_server": "[dim]·[/]"}[uptake.state]
        out.print(f"{mark} {uptake.detail}")
    if uptake.state == "late":
        sys.exit(NOT_LIVE)


def _costs(report: ReplayReport) -> Iterator[str]:
    """What the flips cost, and what the outcomes say of the scores."""
    cost = report.cost
    if cost is not None and cost.labelled:
        yield f"cost: {cost.by_labels:+,.4g} in all by the known outcomes of {cost.labelled:,} flips (above 0 is worse)"
    if cost is not None and cost.unlabelled:
        yield (
            f"cost: {cost.by_champion:+,.4g} in all by the champion's scores, {cost.by_challenger:+,.4g} by the "
            f"challenger's, of {cost.unlabelled:,} flips without an outcome (above 0 is worse)"
        )
    if report.loss is not None:
        yield f"loss: {report.loss:+.4f} on {report.labelled:,} labelled requests (above 0 is worse)"


def _line(each: Deployment) -> tuple[object, ...]:
    """A row of the history; releases by their digest, so that it fits a narrow terminal."""
    trial = [f"{share.release.version} {100 * share.share:.4g}% canary" for share in each.shares[1:]]
    trial += [f"{share.release.version} {100 * share.share:.4g}% shadow" for share in each.shadows]
    since = each.at[:19].replace("T", " ")
    return (each.version, since, each.actor, each.champion.version, ", ".join(trial), each.reason)


def _replayed(project: Project, report: ReplayReport | None) -> Plain:
    from drivetrain.engine.rollout import page_of

    if report is None:
        return None
    said = plain(report)
    return {**(said if isinstance(said, dict) else {}), "verdict": report.verdict, "page": page_of(project, report)}


def _show(project: Project, report: ReplayReport | None) -> None:
    from drivetrain.engine.rollout import page_of

    if report is None:
        out.print("[dim]·[/] nothing is recorded yet: there is nothing to replay")
        return
    flipped, refused = report.flipped, sum(each.rows for each in report.not_taken)
    print_table(
        ("segment", "rows", "flipped", "95 % interval"),
        [
            (each.segment, f"{each.flipped.rows:,}", f"{each.flipped.value:.2%}",
             f"{each.flipped.low:.2%} to {each.flipped.high:.2%}")
            for each in report.segments[:_SEGMENTS]
            if each.flipped.value
        ],
    )  # fmt: skip
    classes = f", {report.to_other_class:,} to another class" if report.to_other_class else ""
    out.print(
        f"{report.recorded:,} recorded requests: {flipped.value:.2%} of the decisions flip [{flipped.low:.2%}, "
        f"{flipped.high:.2%}], {report.to_positive:,} to yes, {report.to_negative:,} to no{classes}; {refused:,} rows "
        "not taken",
        markup=False,
    )
    for each in report.not_taken:
        out.print(f"  {each.rows:,} rows: {each.reason}", markup=False)
    for line in _costs(report):
        out.print(line)
    for finding in report.findings:
        out.print(f"[red]✗[/] {escape(finding)}")
    if not report.findings:
        out.print("[green]✓[/] within the bounds of service.canary")
    out.print(f"report: {page_of(project, report)}")
