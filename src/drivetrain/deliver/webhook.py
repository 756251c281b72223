"""The kind ``webhook``: rows posted as JSON, signed, under a key that stays the same when they are sent again."""

from __future__ import annotations

from collections.abc import Sequence
from time import time

from drivetrain.connect.place import Place
from drivetrain.connect.web_auth import Discreet, Signer, refusal
from drivetrain.connect.web_call import Answer, Call, Caller, Limits
from drivetrain.connect.webhook_signature import ID, SIGNATURE, TIMESTAMP, signature
from drivetrain.core.digest import digest_of
from drivetrain.core.outlets.web import WebhookOutlet as WebhookSpec
from drivetrain.deliver.json_rows import Row, as_json, rows_of
from drivetrain.deliver.outlet import Parcel, Receipt
from drivetrain.deliver.underway import Underway, groups

_FOR_ALL = {401, 403, 404, 405, 407, 410}  # the login or the address is wrong: no row is
_KEY = "idempotency_key"


class WebhookOutlet:
    """An Outlet that is an address."""

    def __init__(self, spec: WebhookSpec, place: Place) -> None:
        self._spec = spec
        self._known = Discreet(place.secrets)
        pace = spec.requests_per_second or 0.0
        limits = Limits(spec.connect_seconds, spec.read_seconds, 2 * spec.read_seconds, per_second=pace)
        self._caller = Caller(limits, place.home / spec.ca if spec.ca else None)
        self._signer = Signer(spec.auth, self._known, self._caller)
        self._underway = Underway()

    def check(self) -> str:
        """Ask what may be done there (OPTIONS), which changes nothing; any answer but a refused login will do."""
        answer = self._signer.send(lambda: Call(self._spec.url, self._own_headers(), "OPTIONS"))
        if answer.status in {401, 403, 407}:
            raise refusal(answer, self._known)
        return f"{answer.place} answers"

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """A receipt for each row: taken with 2xx. A list that is refused is sent row by row, to find out which it was.

        Raises Transient, Forbidden for a refused login, NotFound and InvalidInput for a wrong address.
        """
        rows = rows_of(parcel)
        for group in groups(self._underway.left(parcel), parcel.keys, self._spec.rows_per_call):
            receipt = self._post(group, rows, parcel.keys)
            for at in group:
                alone = receipt if receipt.taken or len(group) == 1 else self._post([at], rows, parcel.keys)
                self._underway.note(at, alone)
        return self._underway.done()

    def close(self) -> None:
        """Let go of the connection."""
        self._caller.close()

    def _post(self, group: Sequence[int], rows: Sequence[Row], keys: Sequence[str]) -> Receipt:
        if self._spec.rows_per_call == 1:
            message, body = keys[group[0]], as_json(rows[group[0]])
        else:
            message = digest_of(*(keys[at] for at in group))[:32]
            body = as_json([{_KEY: keys[at], **rows[at]} for at in group])
        answer = self._signer.send(lambda: self._call(message, body))
        if answer.status in _FOR_ALL or 300 <= answer.status < 400:
            raise refusal(answer, self._known)
        taken = 200 <= answer.status < 300
        return Receipt(taken, self._said(answer, taken=taken))

    def _call(self, message: str, body: bytes) -> Call:
        headers = {"Content-Type": "application/json", "Idempotency-Key": message, ID: message}
        if self._spec.secret is not None:
            now = int(time())
            signed = signature(self._known.get(self._spec.secret), message, now, body)
            headers |= {TIMESTAMP: str(now), SIGNATURE: signed}
        return Call(self._spec.url, {**self._own_headers(), **headers}, "POST", body)

    def _own_headers(self) -> dict[str, str]:
        return {name: self._known.get(value) for name, value in self._spec.headers.items()}

    def _said(self, answer: Answer, *, taken: bool) -> str:
        words = self._known.words(answer)
        return words if taken else f"{answer.status}: {words or 'without a word'}"
