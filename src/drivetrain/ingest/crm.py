"""The kind ``crm``: objects of known systems by name, as sources of the kind ``rest``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.crm import CrmSource
from drivetrain.core.sources.web import CursorPaging, Incremental, LinkPaging, NextUrlPaging, Paging, RestSource
from drivetrain.ingest.rest import RestReader

_DAY = 86_400


@dataclass(frozen=True)
class Preset:
    """How a system gives an object. ``{object}`` and ``{fields}`` stand for what the source names.

    ``params`` hold for every load, ``whole`` only where all is read; ``fields`` is the parameter that takes the names
    of fields, and ``needed`` those that a load stands on. ``deleted`` is told of in incremental loads only.
    """

    path: str
    records: str
    paging: Paging
    params: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)
    whole_path: str | None = None
    fields: str | None = None
    needed: tuple[str, ...] = ()
    incremental: Incremental | None = None
    deleted: str | None = None
    deleted_value: str | None = None


def _zendesk(paging: Paging, path: str, deleted: str, deleted_value: str | None, column: str = "updated_at") -> Preset:
    """It wants a start more than a minute ago, and tells of what is gone in its incremental exports only."""
    return Preset(
        path=f"api/v2/incremental/{path}",
        records="{object}",
        paging=paging,
        incremental=Incremental(param="start_time", field=column, format="unix", start="0", look_back_seconds=120),
        deleted=deleted,
        deleted_value=deleted_value,
        whole={"start_time": "0"},
    )


_EXPORT = NextUrlPaging(kind="next_url", next="after_url", end="end_of_stream")
_OLD_EXPORT = NextUrlPaging(kind="next_url", next="next_page", end="end_of_stream")
_ALL = "*"
PRESETS: Mapping[str, Mapping[str, Preset]] = {
    "dynamics": {
        _ALL: Preset(
            path="api/data/v9.2/{object}",
            records="value",
            paging=NextUrlPaging(kind="next_url", next="@odata.nextLink"),
            fields="$select",
            needed=("modifiedon",),
            incremental=Incremental(
                param="$filter", field="modifiedon", template="modifiedon ge {since}", start="1970-01-01T00:00:00Z"
            ),
        )
    },
    "hubspot": {
        _ALL: Preset(
            path="crm/v3/objects/{object}",
            records="results",
            paging=CursorPaging(kind="cursor", next="paging.next.after", parameter="after"),
            params={"limit": "100"},
            fields="properties",
        )
    },
    "jira": {
        "issues": Preset(
            path="rest/api/3/search/jql",
            records="issues",
            paging=CursorPaging(kind="cursor", next="nextPageToken", parameter="nextPageToken"),
            params={"maxResults": "100", "fields": "*all"},
            whole={"jql": 'created >= "1970-01-01" ORDER BY key ASC'},  # it refuses questions without a bound
            fields="fields",
            needed=("updated",),
            incremental=Incremental(  # it reads times to the minute, in the zone of whoever asks
                param="jql",
                field="fields.updated",
                template='updated >= "{since}" ORDER BY updated ASC',
                start="1970-01-01 00:00",
                written="%Y-%m-%d %H:%M",
                look_back_seconds=_DAY,
            ),
        )
    },
    "salesforce": {
        _ALL: Preset(
            path="services/data/v62.0/queryAll",  # with what was deleted
            records="records",
            paging=NextUrlPaging(kind="next_url", next="nextRecordsUrl"),
            whole={"q": "SELECT {fields} FROM {object} ORDER BY Id"},
            whole_path="services/data/v62.0/query",
            needed=("Id", "SystemModstamp", "IsDeleted"),
            incremental=Incremental(
                param="q",
                field="SystemModstamp",
                template="SELECT {fields} FROM {object} WHERE SystemModstamp >= {since} ORDER BY SystemModstamp, Id",
                start="1970-01-01T00:00:00Z",
                written="%Y-%m-%dT%H:%M:%SZ",
            ),
            deleted="IsDeleted",
        )
    },
    "servicenow": {
        _ALL: Preset(
            path="api/now/table/{object}",
            records="result",
            paging=LinkPaging(kind="link"),
            params={"sysparm_limit": "1000", "sysparm_exclude_reference_link": "true"},
            whole={"sysparm_query": "ORDERBYsys_id"},
            fields="sysparm_fields",
            needed=("sys_updated_on",),
            incremental=Incremental(
                param="sysparm_query",
                field="sys_updated_on",
                template="sys_updated_on>={since}^ORDERBYsys_updated_on^ORDERBYsys_id",
                start="1970-01-01 00:00:00",
                written="%Y-%m-%d %H:%M:%S",
            ),
        )
    },
    "zendesk": {
        "tickets": _zendesk(_EXPORT, "tickets/cursor.json", "status", "deleted", "generated_timestamp"),
        "users": _zendesk(_EXPORT, "users/cursor.json", "active", "false"),
        "organizations": _zendesk(_OLD_EXPORT, "organizations.json", "deleted_at", None),
    },
}


def open_crm(spec: CrmSource, place: Place) -> RestReader:
    """A Reader of the object. Raises InvalidInput for one that the system does not give."""
    return RestReader(as_rest(spec), place)


def as_rest(spec: CrmSource) -> RestSource:
    """The source of the kind ``rest`` that it is. Raises InvalidInput for an object that is not known."""
    preset = _preset(spec)
    whole = preset.incremental is None or not spec.incremental
    names = tuple(dict.fromkeys([*preset.needed, *spec.contract.key, *spec.fields])) if spec.fields else ()
    words = {"object": spec.object, "fields": ", ".join(names), "since": "{since}"}
    params = {**preset.params, **(preset.whole if whole else {})}
    if names and preset.fields:
        params[preset.fields] = ",".join(names)
    incremental = None if whole else preset.incremental
    if incremental is not None:
        incremental = incremental.model_copy(update={"template": incremental.template.format(**words)})
    return RestSource(
        kind="rest",
        url=spec.url,
        path=((whole and preset.whole_path) or preset.path).format(**words),
        params={name: value.format(**words) for name, value in params.items()},
        auth=spec.auth,
        records=preset.records.format(**words),
        paging=preset.paging,
        incremental=incremental,
        deleted=None if whole else preset.deleted,
        deleted_value=None if whole else preset.deleted_value,
        requests_per_second=spec.requests_per_second,
        deadline_seconds=spec.deadline_seconds,
        contract=spec.contract,
    )


def _preset(spec: CrmSource) -> Preset:
    presets = PRESETS[spec.system]
    found = presets.get(spec.object, presets.get(_ALL))
    if found is None:
        raise InvalidInput(
            "crm_object_unknown",
            f"{spec.system} gives no {spec.object!r} here",
            where=spec.url,
            hint=f"one of {', '.join(presets)}; others by a source of the kind `rest`",
        )
    return found
