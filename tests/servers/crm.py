"""Six systems for customers and tickets, in the shapes of their answers: paths, pages, filters, deleted rows."""

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

PAGE = 2


@dataclass
class Thing:
    id: int
    word: str
    at: datetime
    gone: bool = False


class Crm:
    """``things`` by id; a change of one is a new Thing with its id."""

    def __init__(self):
        self.things = {}
        self.asked = []

    def put(self, number, word, at, *, gone=False):
        self.things[number] = Thing(number, word, at, gone)

    def since(self, moment, *, with_gone):
        found = [thing for thing in self.things.values() if thing.at >= moment and (with_gone or not thing.gone)]
        return sorted(found, key=lambda thing: (thing.at, thing.id))


@contextmanager
def crm_service():
    crm = Crm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"crm": crm}))
    server.daemon_threads = True
    crm.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield crm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def time_in(pattern, text, form="%Y-%m-%dT%H:%M:%SZ"):
    return datetime.strptime(re.search(pattern, text)[1], form).replace(tzinfo=UTC)


EVER = datetime(1, 1, 1, tzinfo=UTC)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    crm: Crm

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.crm.asked.append((parts.path, self.query))
        if self.headers.get("Authorization") != "Bearer key":
            self.say(401, {"message": "who are you?"})
            return
        for pattern, give in GIVEN.items():
            if found := re.fullmatch(pattern, parts.path):
                give(self, **found.groupdict())
                return
        self.say(404, {"message": "there is no such thing"})

    def say(self, status, body, headers=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, text in {
            "Content-Type": "application/json",
            "Content-Length": len(content),
            **(headers or {}),
        }.items():
            self.send_header(name, str(text))
        self.end_headers()
        self.wfile.write(content)

    def page(self, things, start):
        return things[start : start + PAGE], start + PAGE if start + PAGE < len(things) else None

    def again(self, **more):
        return f"{self.crm.url}{urlsplit(self.path).path}?{urlencode({**self.query, **more})}"


def hubspot(self, name):
    rows, after = self.page(self.crm.since(EVER, with_gone=False), int(self.query.get("after", 0)))
    stamp = "%Y-%m-%dT%H:%M:%S.000Z"
    results = [
        {"id": str(row.id), "properties": {"word": row.word}, "createdAt": "2026-01-01T00:00:00.000Z",
         "updatedAt": row.at.strftime(stamp), "archived": False} for row in rows
    ]  # fmt: skip
    link = {"next": {"after": str(after), "link": self.again(after=after)}}
    self.say(200, {"results": results, **({"paging": link} if after else {})})


def jira(self):
    updated = re.search(r'updated >= "([^"]+)"', self.query.get("jql", ""))
    if not updated and "created >=" not in self.query.get("jql", ""):
        self.say(400, {"errorMessages": ["Unbounded JQL queries are not allowed here."]})
        return
    moment = time_in('"(.*)"', updated[0], "%Y-%m-%d %H:%M") if updated else EVER
    rows, after = self.page(self.crm.since(moment, with_gone=False), int(self.query.get("nextPageToken", 0)))
    issues = [
        {"id": str(row.id), "key": f"SUP-{row.id}", "self": f"{self.crm.url}/issue/{row.id}",
         "fields": {"word": row.word, "updated": row.at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"), "labels": ["a"]}}
        for row in rows
    ]  # fmt: skip
    self.say(200, {"issues": issues, "isLast": after is None, **({"nextPageToken": str(after)} if after else {})})


def zendesk(self, name):
    start = datetime.fromtimestamp(int(self.query["start_time"]), UTC)
    rows, after = self.page(self.crm.since(start, with_gone=True), int(self.query.get("cursor", 0)))
    tickets = [
        {"id": row.id, "status": "deleted" if row.gone else "open", "word": row.word, "custom_fields": [],
         "updated_at": row.at.strftime("%Y-%m-%dT%H:%M:%SZ"), "generated_timestamp": int(row.at.timestamp())}
        for row in rows
    ]  # fmt: skip
    url = self.again(cursor=after or len(self.crm.things))  # it gives an address also after the last page
    self.say(200, {name: tickets, "after_url": url, "end_of_stream": after is None, "before_url": None})


def servicenow(self, name):
    query = self.query["sysparm_query"]
    moment = time_in(r"sys_updated_on>=([^\^]+)", query, "%Y-%m-%d %H:%M:%S") if ">=" in query else EVER
    offset = int(self.query.get("sysparm_offset", 0))
    rows, after = self.page(self.crm.since(moment, with_gone=False), offset)
    result = [
        {"sys_id": str(row.id), "word": row.word, "sys_updated_on": row.at.strftime("%Y-%m-%d %H:%M:%S")}
        for row in rows
    ]
    following = f'<{self.again(sysparm_offset=after)}>;rel="next"' if after else ""
    self.say(200, {"result": result}, {"Link": f'<{self.again(sysparm_offset=0)}>;rel="first",{following}'})


def salesforce(self, way):
    text = self.query["q"]
    if not text.startswith("SELECT Id, SystemModstamp, IsDeleted, word FROM Account "):
        self.say(400, [{"errorCode": "MALFORMED_QUERY", "message": text}])
        return
    moment = time_in(r"SystemModstamp >= (\S+)", text) if "WHERE" in text else EVER
    salesforce_page(self, self.crm.since(moment, with_gone=way == "queryAll"), 0, way)


def salesforce_more(self, way, start):
    """The address of a next page holds no question: the service remembers it."""
    text = next(query["q"] for _, query in reversed(self.crm.asked) if "q" in query)
    moment = time_in(r"SystemModstamp >= (\S+)", text) if "WHERE" in text else EVER
    salesforce_page(self, self.crm.since(moment, with_gone=way == "queryAll"), int(start), way)


def salesforce_page(self, things, start, way):
    rows, after = self.page(things, start)
    records = [
        {"attributes": {"type": "Account", "url": f"/Account/{row.id}"}, "Id": str(row.id), "word": row.word,
         "SystemModstamp": row.at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"), "IsDeleted": row.gone} for row in rows
    ]  # fmt: skip
    more = {"nextRecordsUrl": f"/services/data/v62.0/{way}/01g-{after}"} if after else {}
    self.say(200, {"totalSize": len(things), "done": after is None, "records": records, **more})


def dynamics(self, name):
    asked = self.query.get("$filter", "")
    moment = time_in(r"modifiedon ge (\S+)", asked) if asked else EVER
    rows, after = self.page(self.crm.since(moment, with_gone=False), int(self.query.get("$skiptoken", 0)))
    value = [
        {"@odata.etag": 'W/"1"', "accountid": str(row.id), "word": row.word,
         "modifiedon": row.at.strftime("%Y-%m-%dT%H:%M:%SZ")} for row in rows
    ]  # fmt: skip
    link = {"@odata.nextLink": self.again(**{"$skiptoken": after})} if after else {}
    self.say(200, {"@odata.context": f"{self.crm.url}/$metadata#{name}", "value": value, **link})


GIVEN = {
    r"/crm/v3/objects/(?P<name>\w+)": hubspot,
    r"/rest/api/3/search/jql": jira,
    r"/api/v2/incremental/(?P<name>\w+)/cursor\.json": zendesk,
    r"/api/now/table/(?P<name>\w+)": servicenow,
    r"/services/data/v62.0/(?P<way>query|queryAll)": salesforce,
    r"/services/data/v62.0/(?P<way>query|queryAll)/01g-(?P<start>\d+)": salesforce_more,
    r"/api/data/v9.2/(?P<name>\w+)": dynamics,
}
