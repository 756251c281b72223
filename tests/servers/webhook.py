"""Somebody who receives webhooks as Standard Webhooks ask: signatures checked, each message and each row taken once."""

import base64
import hashlib
import hmac
import time

from tests.servers.taking import Taker

SECRET = "whsec_" + base64.b64encode(b"a key of 24 bytes or more").decode()
REFUSED = "refused"


class Receiver(Taker):
    def __init__(self, secret=SECRET):
        super().__init__()
        self.secret = secret
        self.rows = {}
        self.calls = 0

    def answer(self, request):
        if request.method == "OPTIONS":
            return 204, None
        message = request.headers["webhook-id"]
        if not self.is_genuine(message, request):
            return 400, {"error": "the signature is wrong"}
        assert request.headers["Idempotency-Key"] == message
        self.calls += 1
        rows = request.json if isinstance(request.json, list) else [{"idempotency_key": message, **request.json}]
        if any(row.get("word") == REFUSED for row in rows):
            return 422, {"error": f"we take no {REFUSED!r}"}
        for row in rows:
            self.rows.setdefault(row.pop("idempotency_key"), []).append(row)
        return 202, {"ticket": f"T-{self.calls}"}

    def is_genuine(self, message, request):
        """As the reference library does it."""
        stamp = request.headers["webhook-timestamp"]
        if abs(time.time() - int(stamp)) > 300:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{message}.{stamp}.".encode() + request.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [part.partition(",") for part in request.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(value, wanted) for version, _, value in given)

    def first(self):
        """Of each key what came first: this receiver looks at keys."""
        return {key: rows[0] for key, rows in self.rows.items()}
