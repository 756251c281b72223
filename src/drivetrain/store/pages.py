"""Pages to read: one HTML file that holds all it needs, for a screen or for paper. The same blocks give the same bytes.

A page is a title and blocks in reading order. Charts are drawn by plotly's own JavaScript out of the plotly wheel,
which stands in the page once; a content security policy in the page forbids any request to elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from drivetrain.core.digest import canonical_json
from drivetrain.core.errors import MissingExtra

Mood = Literal["good", "bad", "warn", "plain"]
Json = dict[str, "Json"] | list["Json"] | str | float | int | bool | None


@dataclass(frozen=True)
class Mark:
    """A cell or a headline with a judgement, shown as a sign and a colour: never by the colour alone."""

    mood: Mood
    text: str


Cell = str | int | float | Mark


@dataclass(frozen=True)
class Text:
    """Paragraphs. One with a ``title`` begins a section and stands in the table of contents."""

    title: str = ""
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows under a header. Numbers stand to the right; a Mark carries its colour; ``note`` says how to read it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Card:
    """One headline number: what it is, its value, and a line below (its interval, its threshold)."""

    label: str
    value: str
    note: str = ""
    mood: Mood = "plain"


@dataclass(frozen=True)
class Cards:
    """Headline numbers side by side."""

    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Line:
    """A line through points, or the points alone; ``low`` and ``high`` add an error bar to each."""

    name: str
    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    mode: Literal["lines", "markers", "lines+markers"] = "lines"


@dataclass(frozen=True)
class Bars:
    """A bar for each label; ``low`` and ``high`` are the ends of its interval."""

    name: str
    labels: Sequence[str]
    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Guide:
    """A straight line over a chart: a threshold on the x or the y axis, with its name."""

    axis: Literal["x", "y"]
    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Series over two axes.

    ``diagonal`` draws the line y = x, ``sideways`` lays bars down for long labels, ``wide`` takes the page's width.
    """

    title: str
    series: tuple[Line | Bars, ...]
    x: str = ""
    y: str = ""
    note: str = ""
    guides: tuple[Guide, ...] = ()
    diagonal: bool = False
    sideways: bool = False
    wide: bool = False


Block = Text | Table | Chart | Cards


def render_page(title: str, subtitle: str, blocks: Iterable[Block]) -> bytes:
    """The page as UTF-8 HTML; raises MissingExtra when it has a chart and plotly is not installed."""
    shown = tuple(blocks)
    charts = [block for block in shown if isinstance(block, Chart)]
    text = _template("page.html").render(
        title=title,
        subtitle=subtitle,
        groups=[(kind, list(members)) for kind, members in groupby(shown, key=lambda block: type(block).__name__)],
        contents=[block.title for block in shown if isinstance(block, Text) and block.title],
        charts=Markup(_script_safe([_figure(chart) for chart in charts])),  # noqa: S704 - escaped by _script_safe
        plotly=Markup(_plotly()) if charts else "",  # noqa: S704 - the wheel's own script, made safe by _plotly
    )
    return text.encode()


def show_number(value: float) -> str:
    """A number as a page shows it: whole ones with separators, others to four significant digits."""
    if not math.isfinite(value):
        return "n/a"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"


@cache
def _environment() -> Environment:
    loader = PackageLoader("drivetrain.store")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["figure"] = lambda cell: isinstance(cell, int | float)
    environment.tests["mark"] = lambda cell: isinstance(cell, Mark)
    environment.filters["shown"] = show_number
    return environment


def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtra("plotly", "train") from error
    script: str = get_plotlyjs()
    return script.replace("</script", "<\\/script")


def _script_safe(value: Json) -> str:
    return canonical_json(value).decode().replace("<", "\\u003c")


def _figure(chart: Chart) -> Json:
    """The chart as plotly JSON without colours: the page's script takes those from the style sheet."""
    layout: dict[str, Json] = {
        "xaxis": _axis(chart.y if chart.sideways else chart.x, bars=False),
        "yaxis": _axis(chart.x if chart.sideways else chart.y, bars=chart.sideways),
        "shapes": [*(_diagonal(chart.series) if chart.diagonal else []), *(_guide(guide) for guide in chart.guides)],
        "annotations": [_guide_label(guide) for guide in chart.guides],
        "showlegend": len(chart.series) > 1,
        "barmode": "group",
    }
    data: list[Json] = [_trace(series, chart.sideways) for series in chart.series]
    longest = max((len(series.labels) for series in chart.series if isinstance(series, Bars)), default=0)
    height = max(330, 90 + 26 * longest * len(chart.series)) if chart.sideways else 330
    return {"data": data, "layout": layout, "height": height}


def _diagonal(series: Sequence[Line | Bars]) -> list[Json]:
    """The line on which y equals x, as far as the numbers reach."""
    lines = [line for line in series if isinstance(line, Line)]
    reach = [value for line in lines for value in (*line.x, *line.y) if not isinstance(value, str)]
    ends: dict[str, Json] = {
        f"{axis}{end}": _number(pick(reach)) for axis in "xy" for end, pick in ((0, min), (1, max))
    }
    return [{"type": "line", "layer": "below", **ends}] if reach else []


def _trace(series: Line | Bars, sideways: bool) -> dict[str, Json]:
    if isinstance(series, Line):
        trace: dict[str, Json] = {"type": "scatter", "mode": series.mode, "x": _values(series.x)}
        trace |= {"name": series.name, "y": _values(series.y)}
        return trace | _error(series.y, series.low, series.high, "error_y")
    labels, values = _values(series.labels), _values(series.values)
    trace = {"type": "bar", "name": series.name, "x": labels, "y": values}
    if sideways:
        trace |= {"orientation": "h", "x": values, "y": labels}
    return trace | _error(series.values, series.low, series.high, "error_x" if sideways else "error_y")


def _error(
    values: Sequence[float], low: Sequence[float] | None, high: Sequence[float] | None, axis: str
) -> dict[str, Json]:
    if low is None or high is None:
        return {}
    above: list[Json] = [_number(top - value) for top, value in zip(high, values, strict=True)]
    below: list[Json] = [_number(value - bottom) for bottom, value in zip(low, values, strict=True)]
    return {axis: {"type": "data", "symmetric": False, "array": above, "arrayminus": below}}


def _axis(title: str, *, bars: bool) -> dict[str, Json]:
    axis: dict[str, Json] = {"title": {"text": title}, "automargin": True}
    return axis | {"autorange": "reversed", "type": "category"} if bars else axis


def _guide(guide: Guide) -> Json:
    other = "y" if guide.axis == "x" else "x"
    place: dict[str, Json] = {f"{guide.axis}{end}": _number(guide.at) for end in (0, 1)}
    span: dict[str, Json] = {f"{other}ref": "paper", f"{other}0": 0, f"{other}1": 1}
    return {"type": "line", **place, **span}


def _guide_label(guide: Guide) -> Json:
    upright = guide.axis == "x"
    place: dict[str, Json] = {"x": _number(guide.at), "yref": "paper", "y": 1, "xanchor": "center", "yanchor": "bottom"}
    if not upright:
        place = {"y": _number(guide.at), "xref": "paper", "x": 1, "xanchor": "right", "yanchor": "bottom"}
    return {"text": guide.label, "showarrow": False, **place}


def _values(values: Sequence[float] | Sequence[str]) -> list[Json]:
    return [value if isinstance(value, str) else _number(value) for value in values]


def _number(value: float) -> float | None:
    """Six significant digits are more than a chart shows; what is not a number leaves a gap."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
