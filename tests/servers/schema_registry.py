"""A schema registry as Confluent's answers: schemas by id, imported ones by subject and version, with a login."""

import json
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class RegistryServer(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.schemas = {}
        self.asked = []
        self.failures = 0
        self.login = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, number, schema, *references, subject=None):
        """An Avro schema as a dict, a Protobuf file as the bytes of its descriptor."""
        text = b64encode(schema).decode() if isinstance(schema, bytes) else json.dumps(schema)
        suffix = "?format=serialized" if isinstance(schema, bytes) else ""
        place = f"/schemas/ids/{number}" if subject is None else f"/subjects/{subject}/versions/{number}"
        self.schemas[place + suffix] = {"schema": text, "references": references}

    def register(self, subject, number, schema, *references):
        """The newest Avro schema of a subject."""
        self.put("latest", schema, *references, subject=subject)
        self.schemas[f"/subjects/{subject}/versions/latest"] |= {"id": number, "subject": subject, "version": 1}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        if server.failures:
            server.failures -= 1
            status, body = 503, {}
        elif server.login and self.headers["Authorization"] != f"Basic {b64encode(server.login.encode()).decode()}":
            status, body = 401, {"error_code": 40101}
        elif self.path in server.schemas:
            status, body = 200, server.schemas[self.path]
        else:
            status, body = 404, {"error_code": 40403, "message": "Schema not found"}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def schema_registry():
    with RegistryServer() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
