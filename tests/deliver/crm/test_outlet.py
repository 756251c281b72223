"""Every system by its documented interface: made, found again, updated, refused, and answers that are lost."""

import re
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from tests.deliver.sending import opened, parcel
from tests.servers.crm_writes import REFUSED, CrmWriter
from tests.servers.taking import after, before, hang_up, lost, running

from drivetrain.core.errors import Forbidden, InvalidInput, Transient
from drivetrain.core.outlets.crm import CrmOutlet

BEARER = {"kind": "bearer", "token": {"env": "KEY"}}
SYSTEMS = {
    "dynamics": {"object": "cases", "external_id": "key", "fields": {"word": "{word}", "score": "{score}"}},
    "hubspot": {"object": "tickets", "external_id": "key", "fields": {"word": "{word}", "score": "{score}"}},
    "jira": {"object": "issues", "fields": {"project.key": "SUP", "issuetype.name": "Task", "summary": "{word}"}},
    "salesforce": {"object": "Case", "external_id": "key__c", "fields": {"word__c": "{word}", "score__c": "{score}"}},
    "servicenow": {"object": "incident", "fields": {"short_description": "{word}", "urgency": 1}},
    "zendesk": {"object": "tickets", "fields": {"subject": "{word}", "comment.body": "Score {score}"}},
}
WORD = {"dynamics": "word", "hubspot": "word", "jira": "summary", "salesforce": "word__c",
        "servicenow": "short_description", "zendesk": "subject"}  # fmt: skip
NUMBER = {"dynamics": r"0{31}\d", "hubspot": r"\d", "jira": r"SUP-\d", "salesforce": r"500\d{15}",
          "servicenow": r"INC\d{7}", "zendesk": r"35\d{3}"}  # fmt: skip
UNTOLD = {"servicenow", "zendesk"}
"""They pass over fields that they do not have."""
MANY = {"hubspot", "salesforce"}


@pytest.fixture
def crm():
    with running(CrmWriter()) as found:
        yield found


@pytest.fixture
def outlet(crm, tmp_path):
    """``outlet(system, **options)``: opened; closed in the end."""
    found = []

    def of(system, **options):
        found.append(opened(spec(crm, system, **options), tmp_path, KEY="key", SECRET="s3cret"))
        return found[-1].__enter__()

    yield of
    for block in found:
        block.__exit__(None, None, None)


def spec(crm, system, **options):
    given = {"kind": "crm", "system": system, "url": crm.url, "auth": BEARER, **SYSTEMS[system], **options}
    return CrmOutlet.model_validate(given)


def rows(*words, **more):
    return parcel(*({"id": f"k{number}", "word": word, "score": 0.5, **more} for number, word in enumerate(words, 1)))


def told(crm, system):
    """The words over there, in the order in which their objects were made."""
    return [record.fields[WORD[system]] for record in crm.records]


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_row_is_an_object_and_the_receipt_has_its_number(crm, outlet, system):
    receipts = outlet(system).send(rows("one", "two", 'it\'s 100 % "ü"'))
    assert [receipt.taken for receipt in receipts] == [True] * 3
    assert all(re.fullmatch(NUMBER[system], receipt.said) for receipt in receipts)
    assert len({receipt.said for receipt in receipts}) == 3
    assert told(crm, system) == ["one", "two", 'it\'s 100 % "ü"']


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_row_that_comes_again_is_the_same_object(crm, outlet, system):
    first = outlet(system).send(rows("one", "two"))
    again = outlet(system).send(rows("one", "two", "three"))
    assert [receipt.said for receipt in again[:2]] == [receipt.said for receipt in first]
    assert told(crm, system) == ["one", "two", "three"]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("fault", [lost, after(500), after(429), before(503), hang_up])
def test_an_answer_that_is_lost_doubles_nothing(crm, outlet, system, fault, at):
    """Whichever call it is: the look-up, or the one with the effect."""
    one = outlet(system)
    crm.faults.extend([*[None] * at, fault])
    if system in MANY and at:
        pytest.skip("one call does it all")
    with pytest.raises(Transient):
        one.send(rows("one", "two"))
    assert all(receipt.taken for receipt in one.send(rows("one", "two")))
    assert told(crm, system) == ["one", "two"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_limit_says_when_to_come_back_and_what_was_taken_stays_so(crm, outlet, system):
    one = outlet(system)
    calls_of_the_first = {"jira": 2, "servicenow": 2, "zendesk": 2, "dynamics": 1}.get(system, 0)
    crm.faults.extend([*[None] * calls_of_the_first, before(429, {"Retry-After": "9"})])
    with pytest.raises(Transient) as caught:
        one.send(rows("one", "two"))
    assert caught.value.seconds == 9
    before_again = len(crm.asked)
    one.send(rows("one", "two"))
    assert len(crm.asked) - before_again == max(1, calls_of_the_first), "only what was not taken is sent again"
    assert told(crm, system) == ["one", "two"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_row_that_is_refused_is_a_dead_letter_and_takes_no_other_with_it(crm, outlet, system):
    receipts = outlet(system).send(rows("one", REFUSED, "two"))
    assert [receipt.taken for receipt in receipts] == [True, False, True]
    assert "refused" in receipts[1].said
    assert told(crm, system) == ["one", "two"]


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - UNTOLD))
def test_a_field_that_is_not_there_makes_no_dead_letters(crm, outlet, system):
    fields = {**SYSTEMS[system]["fields"], "colour": "{word}"}
    with pytest.raises(InvalidInput, match="colour") as caught:
        outlet(system, fields=fields).send(rows("one", "two"))
    assert (caught.value.code, crm.records) == ("crm_field_unknown", [])


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_token_that_expires_in_the_middle_is_renewed(crm, outlet, system):
    auth = {"kind": "oauth2", "token_url": f"{crm.url}/token", "client_id": "robot", "client_secret": {"env": "SECRET"}}
    crm.accepts = lambda headers: headers["Authorization"].startswith("Bearer token-")
    one = outlet(system, auth=auth)
    one.send(rows("one"))
    crm.expire_tokens()
    assert outlet(system, auth=auth).send(rows("one", "two"))[1].taken
    assert one.send(rows("one", "two", "three"))[2].taken
    assert told(crm, system) == ["one", "two", "three"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_refused_login_says_so_and_never_what_it_was(crm, tmp_path, system):
    with opened(spec(crm, system), tmp_path, KEY="very secret") as one:
        for ask in (one.check, lambda: one.send(rows("one"))):
            with pytest.raises(Forbidden) as caught:
                ask()
            assert "very secret" not in f"{caught.value} {one!r}"
            assert caught.value.hint


@pytest.mark.parametrize("system", SYSTEMS)
def test_check_asks_and_changes_nothing(crm, outlet, system):
    said = outlet(system).check()
    assert system in said.lower()
    assert {request.method for request in crm.asked} == {"GET"}
    with crm.away(), pytest.raises(Transient):
        outlet(system).check()


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - {"zendesk", "jira"}))
def test_check_looks_for_the_field_and_the_object(crm, outlet, system):
    crm.make({"correlation_id": "k0"})
    with pytest.raises(InvalidInput, match="wrong") as caught:
        outlet(system, external_id="wrong").check()
    assert caught.value.code in {"crm_field_unknown", "crm_object_unknown"}
    if system != "hubspot":  # its double has every object
        with pytest.raises(InvalidInput) as caught:
            outlet(system, object="wrong").check()
        assert caught.value.code == "crm_object_unknown"


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - {"zendesk"}))
def test_a_column_as_key_brings_its_object_up_to_date(crm, outlet, system):
    """Of several rows with one key the last counts."""
    sent = parcel(
        *({"id": f"k{n}", "customer": customer, "word": word, "score": 0.5}
          for n, (customer, word) in enumerate([("ann", "old"), ("bob", "his"), ("ann", "new")]))
    )  # fmt: skip
    receipts = outlet(system, key="customer").send(sent)
    assert [receipt.taken for receipt in receipts] == [True] * 3
    assert receipts[0].said == receipts[2].said
    assert told(crm, system) == ["new", "his"]


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - {"zendesk"}))
def test_a_row_without_a_key_is_a_dead_letter(crm, outlet, system):
    sent = parcel(
        {"id": "a", "customer": None, "word": "x", "score": 1.0},
        {"id": "b", "customer": "bob", "word": "y", "score": 1.0},
    )
    receipts = outlet(system, key="customer").send(sent)
    assert [receipt.taken for receipt in receipts] == [False, True]
    assert "'customer'" in receipts[0].said


@pytest.mark.parametrize(
    ("system", "status", "body"),
    [
        ("dynamics", 404, {"error": {"code": "0x80040217", "message": "account With Id = 7 Does Not Exist"}}),
        ("jira", 404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}),
        ("servicenow", 403, {"error": {"message": "Operation Failed", "detail": "was aborted by Business Rule 'x'"}}),
        ("zendesk", 404, {"error": "RecordNotFound", "description": "Not found"}),
    ],
)
def test_what_is_not_there_or_not_allowed_for_one_row_holds_no_other_up(crm, outlet, system, status, body):
    calls = 0 if system == "dynamics" else 1
    crm.faults.extend([*[None] * calls, before(status, body=body)])
    receipts = outlet(system).send(rows("one", "two"))
    assert [receipt.taken for receipt in receipts] == [False, True]
    assert str(status) in receipts[0].said


def test_a_table_of_dynamics_that_is_not_there_makes_no_dead_letters(crm, outlet):
    said = {"code": "0x80060888", "message": "Resource not found for the segment 'cases'."}
    crm.faults.append(before(404, body={"error": said}))
    with pytest.raises(InvalidInput) as caught:
        outlet("dynamics").send(rows("one"))
    assert caught.value.code == "crm_object_unknown"


def test_dynamics_keys_of_numbers_and_of_any_text(crm, outlet):
    for customer in (7, "O'Neil & sons/7"):
        outlet("dynamics", key="customer").send(rows("one", customer=customer))
    assert [record.fields["key"] for record in crm.records] == [7, "O'Neil & sons/7"]


def test_salesforce_rows_that_are_locked_are_tried_again_and_the_others_are_not(crm, outlet):
    one = outlet("salesforce")
    with pytest.raises(Transient) as caught:
        one.send(rows("one", "locked", "two"))
    assert caught.value.code == "crm_busy"
    assert [receipt.taken for receipt in one.send(rows("one", "locked", "two"))] == [True] * 3
    assert len(crm.asked[-1].json["records"]) == 1
    assert sorted(told(crm, "salesforce")) == ["locked", "one", "two"]


def test_salesforce_says_with_a_403_that_the_day_is_used_up(crm, outlet):
    said = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    crm.faults.append(before(403, body=said))
    with pytest.raises(Transient, match="Limit exceeded"):
        outlet("salesforce").send(rows("one"))


@pytest.mark.parametrize(("system", "most"), [("salesforce", 200), ("hubspot", 100)])
def test_many_rows_leave_in_few_calls(crm, outlet, system, most):
    assert len(outlet(system).send(rows(*(f"w{number}" for number in range(450))))) == 450
    assert len(crm.asked) == -(-450 // most)
    assert told(crm, system) == [f"w{number}" for number in range(450)]


def test_a_call_that_is_refused_as_a_whole_is_made_row_by_row(crm, outlet):
    crm.faults.append(before(400, body={"category": "VALIDATION_ERROR", "message": "one of them is too long"}))
    receipts = outlet("hubspot").send(rows("one", REFUSED, "two"))
    assert [receipt.taken for receipt in receipts] == [True, False, True]
    assert len(crm.asked) == 4


def test_zendesk_tells_a_ticket_by_its_idempotency_key_while_a_look_up_lags(crm, outlet):
    one = outlet("zendesk")
    one.send(rows("one"))
    crm.faults.append(before(200, body={"tickets": []}))
    assert one.send(rows("one"))[0].taken
    assert told(crm, "zendesk") == ["one"]


def test_zendesk_is_not_asked_to_write_a_comment_twice(crm):
    with pytest.raises(ValidationError, match="comment"):
        spec(crm, "zendesk", key="customer")


@pytest.mark.parametrize(("name", "field"), [("tickets", "subject"), ("users", "name"), ("organizations", "name")])
def test_zendesk_tickets_users_and_organizations_by_a_column(crm, outlet, name, field):
    crm.make({"external_id": "ann", field: "old"})
    one = outlet("zendesk", object=name, key="customer", fields={field: "{word}"})
    assert one.send(rows("new", customer="ann"))[0].said == "35001"
    assert [record.fields for record in crm.records] == [{"external_id": "ann", field: "new"}]


def test_zendesk_custom_fields_by_their_number(crm, outlet):
    fields = {"subject": "{word}", "comment.body": "x", "custom_fields.360001": "{score}", "custom_fields.7": True}
    outlet("zendesk", fields=fields).send(rows("one"))
    assert crm.records[0].fields["custom_fields"] == [{"id": 360001, "value": 0.5}, {"id": 7, "value": True}]


def test_jira_is_given_time_to_find_what_it_may_have_made(crm, outlet):
    crm.index_lags = True
    crm.faults.extend([None, lost])
    one = outlet("jira")
    with pytest.raises(Transient) as caught:
        one.send(rows("one"))
    assert caught.value.seconds == 15
    crm.index()
    assert one.send(rows("one"))[0].said == "SUP-1"
    assert told(crm, "jira") == ["one"]


def test_jira_labels_of_any_key_beside_those_of_ones_own(crm, outlet):
    fields = {**SYSTEMS["jira"]["fields"], "labels": "{labels}"}
    sent = rows("one", customer='Ann "A" B', labels=["risk", "ai"])
    outlet("jira", key="customer", fields=fields).send(sent)
    outlet("jira", key="customer", fields=fields).send(sent)
    (record,) = crm.records
    assert record.fields["labels"][:2] == ["risk", "ai"]
    assert re.fullmatch(r"drivetrain-[0-9a-f]{64}", record.fields["labels"][2])
    assert record.fields["project"] == {"key": "SUP"}


def test_servicenow_takes_no_record_for_ours_that_is_not(crm, outlet):
    """Conditions on a column that is not there are passed over: every record would be found."""
    crm.make({"correlation_id": "other", "short_description": "theirs"})
    with pytest.raises(InvalidInput, match="correlation") as caught:
        outlet("servicenow", external_id="correlation", key="word").send(rows("one"))
    assert caught.value.code == "crm_field_unknown"
    assert told(crm, "servicenow") == ["theirs"]


def test_servicenow_keys_that_would_be_conditions(crm, outlet):
    receipts = outlet("servicenow", key="customer").send(rows("one", customer="a^ORpriority=1"))
    assert (receipts[0].taken, crm.records) == (False, [])


@pytest.mark.parametrize(
    ("system", "written"),
    [
        ("servicenow", "2026-01-02 03:04:05"),
        ("jira", "2026-01-02T03:04:05.000+0000"),
        ("zendesk", "2026-01-02T03:04:05Z"),
    ],
)
def test_times_are_written_as_the_system_does(crm, outlet, system, written):
    fields = {**SYSTEMS[system]["fields"], WORD[system]: "{at}"}
    outlet(system, fields=fields).send(rows("one", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    assert told(crm, system) == [written]


def test_without_fields_each_column_is_one(crm, outlet):
    sent = parcel({"word": "one", "score": 0.25})
    outlet("dynamics", fields={}).send(sent)
    assert crm.records[0].fields == {"word": "one", "score": 0.25, "key": "k1"}


def test_a_template_with_an_unknown_column_is_told_before_anything_is_sent(crm, outlet):
    with pytest.raises(InvalidInput, match="wrod") as caught:
        outlet("dynamics", fields={"word": "{wrod}"}).send(rows("one"))
    assert (caught.value.code, caught.value.where, crm.asked) == ("outlet_column_unknown", "fields.word", [])


def test_a_service_that_is_not_such_a_system(crm, outlet):
    crm.faults.append(before(200, body={"hello": "world"}))
    with pytest.raises(InvalidInput) as caught:
        outlet("salesforce").send(rows("one"))
    assert caught.value.code == "crm_answer_unknown"
    crm.faults.append(before(302, {"Location": "https://login.example.org/?next=1"}))
    with pytest.raises(InvalidInput, match=r"login\.example\.org"):
        outlet("zendesk").send(rows("one"))


@pytest.mark.parametrize(
    ("system", "options"),
    [("salesforce", {"external_id": None}), ("hubspot", {"external_id": None}), ("dynamics", {"external_id": None}),
     ("zendesk", {"external_id": "id"}), ("jira", {"external_id": "id"}), ("dynamics", {"url": "https://a:b@c"})],
)  # fmt: skip
def test_what_a_project_file_may_not_say(crm, system, options):
    with pytest.raises(ValidationError):
        spec(crm, system, **options)


@pytest.mark.parametrize(("system", "name"), [("zendesk", "problems"), ("jira", "boards")])
def test_objects_that_a_system_does_not_take(outlet, system, name):
    with pytest.raises(InvalidInput) as caught:
        outlet(system, object=name)
    assert caught.value.code == "crm_object_unknown"
