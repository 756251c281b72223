"""A double of Azure Data Factory's REST API and of the service that gives tokens for it, with faults on request."""

import json
import re
import uuid
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit

FACTORY = "/subscriptions/sub-1/resourceGroups/rg/providers/Microsoft.DataFactory/factories/plant"


class DataFactory:
    """``pipelines`` by name: what a run does when it ends. ``faults`` are met one a question, by status.

    A fault ``lost`` does what is asked and breaks the answer off. A run ends at the look number ``looks``.
    """

    def __init__(self):
        self.pipelines = {}
        self.runs = {}
        self.faults = deque()
        self.looks = 1
        self.ending = ("Succeeded", "")
        self.secret = "warm-sea"
        self.tokens = set()
        self.asked = []
        self.lock = Lock()
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def expire(self):
        """All tokens that were given out are refused from now on."""
        self.tokens.clear()

    def begin(self, pipeline, parameters=(), by="Manual"):
        run = {
            "runId": str(uuid.uuid4()), "pipelineName": pipeline, "status": "Queued", "message": "", "looks": 0,
            "parameters": {name: str(value) for name, value in dict(parameters).items()},
            "runStart": datetime.now(UTC).isoformat(), "lastUpdated": datetime.now(UTC).isoformat(),
            "invokedBy": {"id": "x", "name": by, "invokedByType": by},
        }  # fmt: skip
        self.runs[run["runId"]] = run
        return run["runId"]

    def look(self, run):
        run["looks"] += 1
        if run["status"] in ("Queued", "InProgress"):
            run["status"] = "InProgress"
            if run["looks"] >= self.looks:
                run["status"], run["message"] = self.ending
                if run["status"] == "Succeeded":
                    self.pipelines[run["pipelineName"]]()
        return {name: value for name, value in run.items() if name != "looks"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: DataFactory

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve(b"")

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body):
        parts = urlsplit(self.path)
        with self.service.lock:
            if parts.path.endswith("/oauth2/v2.0/token"):
                self._say(*self._token(parse_qs(body.decode())))
                return
            self.service.asked.append(parts.path.removeprefix(FACTORY))
            fault = self.service.faults.popleft() if self.service.faults else None
            if isinstance(fault, int):
                self._say(fault, {"error": {"code": "Busy", "message": "later"}}, {"Retry-After": "0"})
                return
            answer = self._answer(parts, body)
            if fault == "lost":
                self.close_connection = True
                return
            self._say(*answer)

    def _token(self, form):
        right = form.get("client_secret") == [self.service.secret] and form["grant_type"] == ["client_credentials"]
        if not right or form["scope"] != [f"{self.service.url}/.default"]:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: invalid client secret"}
        token = uuid.uuid4().hex
        self.service.tokens.add(token)
        return 200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def _answer(self, parts, body):
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.service.tokens:
            return 401, {"error": {"code": "ExpiredAuthenticationToken", "message": "the token expired"}}
        if parse_qs(parts.query) != {"api-version": ["2018-06-01"]} or not parts.path.startswith(FACTORY):
            return 404, {"error": {"code": "ResourceNotFound", "message": "no such factory"}}
        path = parts.path.removeprefix(FACTORY)
        if found := re.fullmatch(r"/pipelines/([^/]+)(/createRun)?", path):
            name, starts = found.groups()
            if name not in self.service.pipelines:
                return 404, {"error": {"code": "EntityNotFound", "message": f"no pipeline {name}"}}
            return 200, {"runId": self.service.begin(name, json.loads(body))} if starts else {"name": name}
        if found := re.fullmatch(r"/pipelineruns/([^/]+)", path):
            run = self.service.runs.get(found[1])
            return (200, self.service.look(run)) if run else (404, {"error": {"code": "NotFound", "message": "no run"}})
        assert path == "/queryPipelineRuns"
        return 200, {"value": self._query(json.loads(body))}

    def _query(self, question):
        (condition,) = question["filters"]
        assert (condition["operand"], condition["operator"]) == ("PipelineName", "Equals")
        since = datetime.fromisoformat(question["lastUpdatedAfter"])
        assert datetime.fromisoformat(question["lastUpdatedBefore"]) > since + timedelta(minutes=5)
        found = [
            {name: value for name, value in run.items() if name != "looks"}
            for run in self.service.runs.values()
            if run["pipelineName"] in condition["values"] and datetime.fromisoformat(run["lastUpdated"]) >= since
        ]
        (order,) = question["orderBy"]
        return sorted(found, key=lambda run: run["runStart"], reverse=order["order"] == "DESC")

    def _say(self, status, value, headers=()):
        content = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": len(content), **dict(headers)}.items():
            self.send_header(name, str(text))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def data_factory():
    service = DataFactory()
    handler = type("Bound", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
