"""Six systems for customers and tickets as their writing interfaces are documented: what they take, refuse, pass over.

Each keeps records by a number of its own, so that whatever is made twice is there twice.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from tests.servers.taking import Taker

REFUSED = "refused"
FIELDS = {"word", "score", "key"}


@dataclass
class Record:
    number: int
    fields: dict = field(default_factory=dict)


class CrmWriter(Taker):
    """``index_lags``: Jira finds an issue only after ``index()``. ``tokens`` are those of its token service."""

    def __init__(self):
        super().__init__()
        self.records = []
        self.kept_answers = {}
        self.index_lags = False
        self.indexed = 0
        self.tokens = 0

    def answer(self, request):
        if request.path == "/token":
            self.tokens += 1
            return 200, {"access_token": f"token-{self.tokens}", "expires_in": 3600}
        for method, pattern, give in ROUTES:
            found = re.fullmatch(pattern, request.path)
            if method == request.method and found:
                return give(self, request, **found.groupdict())
        return 404, {"message": "there is no such thing"}

    def expire_tokens(self):
        """Only tokens that are given out from now on are good."""
        old = self.tokens
        self.accepts = lambda headers: int(headers["Authorization"].rpartition("-")[2]) > old

    def index(self):
        self.indexed = len(self.records)

    def find(self, name, value):
        return next((record for record in self.records if record.fields.get(name) == value), None)

    def make(self, fields):
        self.records.append(Record(len(self.records) + 1, dict(fields)))
        return self.records[-1]

    def put(self, name, value, fields):
        """The record with that value, made where there is none; whether it was made."""
        found = self.find(name, value)
        if found is None:
            return self.make({**fields, name: value}), True
        found.fields |= fields
        return found, False


def salesforce_describe(crm, request, name):
    if name != "Case":
        return 404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    fields = [{"name": "key__c", "externalId": True, "type": "string"}, {"name": "word__c", "externalId": False}]
    return 200, {"name": name, "label": "Case", "fields": fields}


def salesforce_put(crm, request, name, external):
    sent = request.json
    assert sent["allOrNone"] is False
    assert len(sent["records"]) <= 200
    if name != "Case" or external != "key__c":
        said = f"Provided external ID field does not exist or is not accessible: {external}"
        return 404, [{"errorCode": "NOT_FOUND", "message": said}]
    unknown = {field for one in sent["records"] for field in one} - {"attributes"} - {f"{name}__c" for name in FIELDS}
    if unknown:
        said = f"No such column '{unknown.pop()}' on sobject of type Case"
        return 400, [{"errorCode": "INVALID_FIELD", "message": said}]
    keys = [one[external] for one in sent["records"]]
    results = []
    for one in sent["records"]:
        assert one.pop("attributes") == {"type": "Case"}
        if keys.count(one[external]) > 1:
            errors = [{"statusCode": "DUPLICATE_VALUE", "message": "Duplicate external id specified", "fields": []}]
            results.append({"success": False, "errors": errors})
        elif one.get("word__c") == REFUSED:
            said = {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "we take no refused", "fields": []}
            results.append({"success": False, "errors": [said]})
        elif one.get("word__c") == "locked" and "unlocked" not in crm.kept_answers:
            crm.kept_answers["unlocked"] = True
            said = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []}
            results.append({"success": False, "errors": [said]})
        else:
            record, made = crm.put(external, one[external], one)
            results.append({"id": f"500{record.number:015}", "success": True, "errors": [], "created": made})
    return 200, results


def hubspot_property(crm, request, name, external):
    if external not in FIELDS:
        return 404, {
            "status": "error",
            "message": f"Property {external} does not exist",
            "category": "OBJECT_NOT_FOUND",
        }
    return 200, {"name": external, "type": "string", "hasUniqueValue": external == "key"}


def hubspot_put(crm, request, name):
    inputs = request.json["inputs"]
    assert 0 < len(inputs) <= 100
    said = {"status": "error", "category": "VALIDATION_ERROR"}
    names = {field for one in inputs for field in one["properties"]}
    if names - FIELDS:
        what = (
            f'Property values were not valid: [{{"error":"PROPERTY_DOESNT_EXIST","name":"{(names - FIELDS).pop()}"}}]'
        )
        return 400, {**said, "message": what}
    if len({one["id"] for one in inputs}) < len(inputs):
        return 400, {**said, "message": "Duplicate IDs found in batch input"}
    results, errors = [], []
    for one in inputs:
        assert all(isinstance(value, str) for value in one["properties"].values())
        if one["properties"].get("word") == REFUSED:
            context = {"objectWriteTraceId": [one["objectWriteTraceId"]]}
            errors.append({**said, "message": "refused was not one of the allowed options", "context": context})
            continue
        record, made = crm.put(one["idProperty"], one["id"], one["properties"])
        results.append({"id": str(record.number), "new": made, "objectWriteTraceId": one["objectWriteTraceId"]})
    whole = {"status": "COMPLETE", "results": results[::-1]}
    return (207, {**whole, "numErrors": len(errors), "errors": errors}) if errors else (200, whole)


def zendesk_me(crm, request):
    return 200, {"user": {"id": 1, "name": "robot"}}


def _zendesk(record):
    return {"id": 35_000 + record.number, "url": f"/api/v2/tickets/{record.number}.json", **record.fields}


def _zendesk_refuses(fields):
    """Zendesk passes over what it does not know."""
    if fields.get("subject") != REFUSED and fields.get("name") != REFUSED:
        return None
    details = {"subject": [{"description": "Subject: we take no refused", "error": "InvalidValue"}]}
    return 422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details}


def zendesk_list(crm, request):
    found = [record for record in crm.records if record.fields["external_id"] == request.query["external_id"]]
    return 200, {"tickets": [_zendesk(record) for record in found], "next_page": None, "count": len(found)}


def zendesk_make(crm, request):
    token, fields = request.headers["Idempotency-Key"], request.json["ticket"]
    if token not in crm.kept_answers:
        if refusal := _zendesk_refuses(fields):
            return refusal
        if "comment" not in fields:
            return 422, {
                "error": "RecordInvalid",
                "details": {"base": [{"description": "Description: cannot be blank"}]},
            }
        crm.kept_answers[token] = _zendesk(crm.make(fields))
    return 201, {"ticket": crm.kept_answers[token]}


def zendesk_change(crm, request, number):
    record = crm.records[int(number) - 35_001]
    if refusal := _zendesk_refuses(request.json["ticket"]):
        return refusal
    record.fields |= request.json["ticket"]
    return 200, {"ticket": _zendesk(record)}


def zendesk_put(crm, request, many):
    fields = request.json[many.removesuffix("s")]
    if refusal := _zendesk_refuses(fields):
        return refusal
    record, made = crm.put("external_id", fields["external_id"], fields)
    return 201 if made else 200, {many.removesuffix("s"): _zendesk(record)}


def _servicenow(record, request):
    shown = {"sys_id": f"{record.number:032x}", "number": f"INC{record.number:07}", **record.fields}
    return {name: str(shown[name]) for name in request.query["sysparm_fields"].split(",") if name in shown}


SERVICENOW = {"correlation_id", "short_description", "urgency"}


def servicenow_list(crm, request, name):
    if name != "incident":
        return 400, {"error": {"message": f"Invalid table {name}", "detail": None}, "status": "failure"}
    column, _, value = request.query["sysparm_query"].partition("=")
    known = column in SERVICENOW  # conditions on columns that are not there are passed over
    found = [record for record in crm.records if not known or record.fields.get(column) == value]
    return 200, {"result": [_servicenow(record, request) for record in found[: int(request.query["sysparm_limit"])]]}


def servicenow_make(crm, request, name):
    fields = {name: value for name, value in request.json.items() if name in SERVICENOW}
    if fields.get("short_description") == REFUSED:
        return 400, {"error": {"message": "Operation Failed", "detail": "we take no refused"}, "status": "failure"}
    return 201, {"result": _servicenow(crm.make(fields), request)}


def servicenow_change(crm, request, name, number):
    record = crm.records[int(number, 16) - 1]
    record.fields |= request.json
    return 200, {"result": _servicenow(record, request)}


def jira_me(crm, request):
    return 200, {"accountId": "1", "displayName": "robot"}


def jira_search(crm, request):
    label = re.fullmatch('labels = "([^"]*)"', request.query["jql"])[1]
    there = crm.records[: crm.indexed] if crm.index_lags else crm.records
    found = [record for record in there if label in record.fields["labels"]]
    return 200, {"issues": [{"id": str(one.number), "key": f"SUP-{one.number}"} for one in found], "isLast": True}


JIRA = {"project", "issuetype", "summary", "description", "labels", "priority"}


def _jira_refuses(fields):
    unknown = {name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
               for name in fields if name not in JIRA}  # fmt: skip
    if fields.get("summary") == REFUSED:
        unknown = {"summary": "we take no refused"}
    return (400, {"errorMessages": [], "errors": unknown}) if unknown else None


def jira_make(crm, request):
    fields = request.json["fields"]
    assert isinstance(fields.get("description", ""), str), "the second version takes texts"
    if refusal := _jira_refuses(fields):
        return refusal
    record = crm.make(fields)
    return 201, {"id": str(10_000 + record.number), "key": f"SUP-{record.number}", "self": "..."}


def jira_change(crm, request, number):
    fields = request.json["fields"]
    if refusal := _jira_refuses(fields):
        return refusal
    crm.records[int(number) - 1].fields |= fields
    return 204, None


def dynamics_list(crm, request, name):
    if name != "cases":
        return 404, {"error": {"code": "0x80060888", "message": f"Resource not found for the segment '{name}'."}}
    if request.query["$select"] not in FIELDS:
        said = f"Could not find a property named '{request.query['$select']}' on type 'Microsoft.Dynamics.CRM.case'."
        return 400, {"error": {"code": "0x80060888", "message": said}}
    return 200, {"value": []}


def dynamics_put(crm, request, name, external, text, number):
    if unknown := set(request.json) - FIELDS:
        said = (
            f"Error identified in Payload provided by the user for Entity :'{name}', ... An undeclared property "
            f"'{unknown.pop()}' which only has property annotations in the payload but no property value was found"
        )
        return 400, {"error": {"code": "0x80048d19", "message": said}}  # fmt: skip
    if request.json.get("word") == REFUSED:
        return 400, {"error": {"code": "0x80040265", "message": "we take no refused"}}
    value = int(number) if number else unquote(text).replace("''", "'")
    record, _ = crm.put(external, value, request.json)
    return 204, None, {"OData-EntityId": f"{crm.url}/api/data/v9.2/{name}({record.number:032x})"}


_SF, _NOW, _DYN = r"/services/data/v62\.0", r"/api/now/table/(?P<name>\w+)", r"/api/data/v9\.2/(?P<name>\w+)"
ROUTES = [
    ("GET", _SF + r"/sobjects/(?P<name>\w+)/describe", salesforce_describe),
    ("PATCH", _SF + r"/composite/sobjects/(?P<name>\w+)/(?P<external>\w+)", salesforce_put),
    ("GET", r"/crm/v3/properties/(?P<name>\w+)/(?P<external>\w+)", hubspot_property),
    ("POST", r"/crm/v3/objects/(?P<name>\w+)/batch/upsert", hubspot_put),
    ("GET", r"/api/v2/users/me\.json", zendesk_me),
    ("GET", r"/api/v2/tickets\.json", zendesk_list),
    ("POST", r"/api/v2/tickets\.json", zendesk_make),
    ("PUT", r"/api/v2/tickets/(?P<number>\d+)\.json", zendesk_change),
    ("POST", r"/api/v2/(?P<many>users|organizations)/create_or_update\.json", zendesk_put),
    ("GET", _NOW, servicenow_list),
    ("POST", _NOW, servicenow_make),
    ("PATCH", _NOW + r"/(?P<number>[0-9a-f]{32})", servicenow_change),
    ("GET", r"/rest/api/2/myself", jira_me),
    ("GET", r"/rest/api/2/search/jql", jira_search),
    ("POST", r"/rest/api/2/issue", jira_make),
    ("PUT", r"/rest/api/2/issue/SUP-(?P<number>\d+)", jira_change),
    ("GET", _DYN, dynamics_list),
    ("PATCH", _DYN + r"\((?P<external>\w+)=(?:'(?P<text>.*)'|(?P<number>-?\d+))\)", dynamics_put),
]
