"""The page of a replay, for whoever decides whether the challenger may get traffic."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.deploy.replay_report import FlipCost, ReplayReport, SegmentFlips
from drivetrain.store.pages import Block, Card, Cards, Cell, Mark, Table, Text, render_page

_SEGMENTS = 30


def replay_page(report: ReplayReport) -> bytes:
    """The page as UTF-8 HTML. It needs no chart, so it is made on a machine without plotly too."""
    subtitle = (
        f"{report.challenger} against {report.champion}, on {report.recorded:,} requests from {report.since[:19]} to "
        f"{report.until[:19]} (UTC)"
    )
    return render_page(f"Replay: {report.service}", subtitle, _blocks(report))


def _blocks(report: ReplayReport) -> Iterator[Block]:
    yield _headline(report)
    if report.findings:
        words = "A canary would be refused, unless somebody says why this is meant:"
        yield Text("Out of bounds", (words,), report.findings)
    else:
        yield Text("Within bounds", ("Every bound of the canary holds on what was recorded.",))
    yield _decisions(report)
    if report.cost is not None:
        yield _cost(report.cost)
    yield _segments(report)
    if report.not_taken:
        rows = tuple((each.reason, each.rows, each.rows / report.recorded) for each in report.not_taken)
        yield Table("Rows that were not compared", ("why", "rows", "share"), rows)
    yield Text("How it was done", _method(report))


def _headline(report: ReplayReport) -> Cards:
    flipped = report.flipped
    passed = report.verdict == "pass"
    refused = sum(each.rows for each in report.not_taken)
    return Cards(
        (
            Card("verdict", report.verdict, f"{len(report.findings)} bounds broken", "good" if passed else "bad"),
            Card("decisions flipped", f"{flipped.value:.2%}", f"95 % interval {flipped.low:.2%} to {flipped.high:.2%}"),
            Card("score shift", f"{report.score_shift:.4f}", f"{report.rank_shift:.1%} in ranks"),
            Card("not compared", f"{refused:,}", f"of {report.recorded:,} rows", "warn" if refused else "plain"),
        )
    )


def _decisions(report: ReplayReport) -> Table:
    rule = report.rule
    rows: tuple[tuple[Cell, ...], ...] = (
        ("no becomes yes", f"{report.to_positive:,}", ""),
        ("yes becomes no", f"{report.to_negative:,}", ""),
        *([("another class", f"{report.to_other_class:,}", "")] if report.to_other_class else []),
        ("flipped, of all", f"{report.flipped.value:.2%}", f"at most {rule.max_flipped:.1%}"),
        ("rate of yes, champion", f"{report.champion_rate:.2%}", ""),
        ("rate of yes, challenger", f"{report.challenger_rate:.2%}", f"at most {rule.max_rate_change:.1%} apart"),
        ("score shift in ranks", f"{report.rank_shift:.2%}", f"at most {rule.max_score_shift:.1%}"),
        (
            f"loss above the champion's, on {report.labelled:,} labelled rows",
            "n/a" if report.loss is None else f"{report.loss:+.4f}",
            f"at most {rule.max_loss:g}",
        ),
    )
    return Table("Decisions", ("what", "found", "bound"), rows)


def _cost(cost: FlipCost) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = (
        ("known outcomes", cost.labelled, round(cost.by_labels, 6)),
        ("no outcome yet, if the champion's scores are right", cost.unlabelled, round(cost.by_champion, 6)),
        ("no outcome yet, if the challenger's scores are right", cost.unlabelled, round(cost.by_challenger, 6)),
    )
    note = f"A false alarm costs {cost.false_positive:g}, a miss {cost.false_negative:g}. More than 0 is worse."
    return Table("What the flips cost", ("by", "flips", "change of the total cost"), rows, note)


def _segments(report: ReplayReport) -> Table:
    shown = report.segments[:_SEGMENTS]
    priced = report.cost is not None
    header = ("segment", "rows", "flipped", "95 % interval", *(("change of cost",) if priced else ()))
    rows = tuple(_segment(each, report.rule.max_segment_flipped) for each in shown)
    rest = len(report.segments) - len(shown)
    note = f"Those first that surely flip most. {f'{rest} more stand in replay.json.' if rest else ''}"
    return Table("By segment", header, rows, note)


def _segment(each: SegmentFlips, bound: float) -> tuple[Cell, ...]:
    flipped = each.flipped
    share: Cell = f"{flipped.value:.2%}"
    if flipped.low > bound:
        share = Mark("bad", f"{flipped.value:.2%}")
    elif flipped.value > bound:
        share = Mark("warn", f"{flipped.value:.2%}")
    cost = () if each.cost is None else (round(each.cost, 6),)
    return (each.segment, flipped.rows, share, f"{flipped.low:.2%} to {flipped.high:.2%}", *cost)


def _method(report: ReplayReport) -> tuple[str, ...]:
    champion = (
        f"What the champion answered then is what counts. {report.rescored:,} rows had been answered by another "
        f"release and were scored with the champion now; {report.left_out:,} that it cannot take were left out."
    )
    texts = "A text that the release of that time did not know is recorded as unknown, and replayed as such."
    return (champion, texts)
