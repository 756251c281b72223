"""What the records of each kind of log become."""

import datetime

import pytest
from pydantic import ValidationError

from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.logs import LogsSource
from drivetrain.ingest.grok import compile_pattern
from drivetrain.ingest.log_lines import lines_of

WRITTEN = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.UTC)


def parsed(text, kind, **options):
    lines = lines_of(LogsSource(kind="logs", path="a.log", format=kind, **options), WRITTEN)
    return lines.parse(text)


def there(row):
    return {name: value for name, value in row.items() if value is not None}


def test_a_web_server_in_the_combined_format():
    line = (
        '203.0.113.9 - ann [10/Oct/2024:13:55:36 -0700] "GET /a?b=%20c HTTP/1.1" 200 2326 '
        '"https://example.org/\\"x\\"" "Mozilla/5.0 (X; \\x22y)" "10.0.0.1"'
    )
    assert there(parsed(line, "web")) == {
        "client": "203.0.113.9", "user": "ann", "time": "2024-10-10T13:55:36-07:00", "method": "GET",
        "path": "/a?b=%20c", "protocol": "HTTP/1.1", "status": "200", "bytes": "2326",
        "referer": 'https://example.org/\\"x\\"', "agent": "Mozilla/5.0 (X; \\x22y)", "more": '"10.0.0.1"',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "status", "bytes_", "found"),
    [
        ("GET /", "200", "5", {"method": "GET", "path": "/", "status": "200", "bytes": "5"}),
        ("\\x16\\x03\\x01", "400", "-", {"request": "\\x16\\x03\\x01", "status": "400"}),
        ("-", "408", "0", {"status": "408", "bytes": "0"}),
        ("", "400", "0", {"status": "400", "bytes": "0"}),
    ],
)
def test_a_web_server_in_the_common_format_and_what_attackers_send(request_, status, bytes_, found):
    line = f'::1 - - [01/Jan/2024:00:00:00 +0000] "{request_}" {status} {bytes_}'
    assert there(parsed(line, "web")) == {"client": "::1", "time": "2024-01-01T00:00:00+00:00", **found}


def test_syslog_of_rfc_3164():
    line = "<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed for lonvick on /dev/pts/8"
    assert there(parsed(line, "syslog")) == {
        "facility": "auth", "severity": "critical", "time": "2023-10-11T22:14:15+00:00", "host": "mymachine",
        "app": "su", "pid": "12", "message": "'su root' failed for lonvick on /dev/pts/8",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("at", "time"),
    [
        ("Mar  1 11:00:00", "2024-03-01T10:00:00+00:00"),
        ("Mar  2 10:00:00", "2024-03-02T09:00:00+00:00"),  # a clock that goes fast
        ("Mar  4 11:00:00", "2023-03-04T10:00:00+00:00"),
        ("Feb 29 11:00:00", "2024-02-29T10:00:00+00:00"),
        ("Jul  1 11:00:00", "2023-07-01T09:00:00+00:00"),  # summer time
        ("Feb 30 11:00:00", None),
        ("2024-02-29T11:00:00.123456+01:00", "2024-02-29T11:00:00.123456+01:00"),
    ],
)
def test_a_time_without_a_year_is_the_last_one_before_the_file_was_written(at, time):
    row = parsed(f"{at} host app: text", "syslog", time_zone="Europe/Berlin")
    assert (row["time"], row["host"], row["app"], row["message"]) == (time, "host", "app", "text")


def test_syslog_of_rfc_5424():
    line = (
        '<165>1 2003-10-11T22:14:15.003Z host.example evntslog - ID47 [ex@32473 iut="3" t="a\\"\\]\\\\b"][other] '
        "\ufeffAn event: it happened"
    )
    assert there(parsed(line, "syslog")) == {
        "facility": "local4", "severity": "notice", "time": "2003-10-11T22:14:15.003Z", "host": "host.example",
        "app": "evntslog", "id": "ID47", "data": '{"ex@32473":{"iut":"3","t":"a\\"]\\\\b"},"other":{}}',
        "message": "An event: it happened",
    }  # fmt: skip
    assert there(parsed("<0>1 - - - - - -", "syslog")) == {"facility": "kern", "severity": "emergency"}


def test_json():
    row = parsed('{"at": "2024-01-01", "n": 1, "deep": {"a": [1]}, "no": null, "ok": true}', "json")
    assert row == {"at": "2024-01-01", "n": "1", "deep": '{"a":[1]}', "no": None, "ok": "true"}


def test_logfmt():
    row = parsed('at=2024-01-01 msg="it \\"broke\\"\\nhere" path=C:\\temp done empty= n=1', "logfmt")
    assert row == {
        "at": "2024-01-01", "msg": 'it "broke"\nhere', "path": "C:\\temp", "done": "true", "empty": None, "n": "1",
    }  # fmt: skip


def test_a_pattern_of_ones_own():
    pattern = r"%{ISO8601:at} \[%{LEVEL:level}\] %{IP:client} took %{NUMBER:seconds}s (?P<rest>.*)"
    line = "2024-01-01 10:00:00,123 [warning] 10.0.0.1 took 1.5s for (all)"
    assert parsed(line, "pattern", pattern=pattern) == {
        "at": "2024-01-01 10:00:00.123", "level": "warning", "client": "10.0.0.1", "seconds": "1.5",
        "rest": "for (all)",
    }  # fmt: skip
    types = {column.name: str(column.type) for column in compile_pattern(pattern).columns.columns}
    assert types == {"at": "timestamp", "level": "text", "client": "text", "seconds": "number", "rest": "text"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hello", "web"),
        ("hello", "syslog"),
        ("[1]", "json"),
        ("{}", "json"),
        ("{" * 5000, "json"),
        ("hello world", "logfmt"),
        ('a="open', "logfmt"),
    ],
)
def test_what_does_not_fit(text, kind):
    assert parsed(text, kind) is None


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("%{NOPE:x}", "no piece NOPE"),
        ("%{IP:a} [", "unterminated"),
        ("%{IP:a} %{IP:a}", "redefinition"),
        ("%{IP} only", "no piece has a name"),
    ],
)
def test_patterns_that_are_none(pattern, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        compile_pattern(pattern)
    assert caught.value.code == "pattern_invalid"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "pattern"}, "belong together"),
        ({"format": "web", "pattern": "x"}, "belong together"),
        ({"format": "syslog", "time_zone": "Mars/Olympus"}, "no time zone"),
    ],
)
def test_options_that_do_not_fit(options, said):
    with pytest.raises(ValidationError, match=said):
        LogsSource(kind="logs", path="a.log", **options)


def test_types_in_the_table(project):
    project.write("access.log", '::1 - - [01/Jan/2024:00:00:00 +0100] "GET / HTTP/1.1" 200 5 "-" "x"\n')
    dataset = project.ingest(LogsSource(kind="logs", path="access.log", format="web"))
    types = {column.name: str(column.type) for column in dataset.schema.columns}
    assert {name for name, kind in types.items() if kind == "text"} == types.keys() - {"time", "status", "bytes"}
    assert (types["time"], types["status"], types["bytes"]) == ("timestamp", "integer", "integer")
    assert project.rows()[0]["time"] == datetime.datetime(2023, 12, 31, 23, tzinfo=datetime.UTC)
