"""Calls to the interface of a system, and which of its answers are no row's fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from drivetrain.connect.place import Place
from drivetrain.connect.web_auth import Discreet, Signer, refusal
from drivetrain.connect.web_call import Answer, Call, Caller, Limits
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.outlets.crm import CrmOutlet as CrmSpec
from drivetrain.deliver.json_rows import as_json
from drivetrain.deliver.outlet import Receipt

T = TypeVar("T")
_LIMITS = Limits(connect_seconds=10.0, read_seconds=60.0, total_seconds=120.0)
_USED_UP = b"REQUEST_LIMIT_EXCEEDED"  # Salesforce says so with a 403
_OF_THE_ROW = (b"aborted by Business Rule", b"Data Policy Exception")  # and ServiceNow this


class Api:
    """The interface of one instance."""

    def __init__(self, spec: CrmSpec, place: Place) -> None:
        self._url, self._object = spec.url.rstrip("/"), f"{spec.system} {spec.object}"
        self._known = Discreet(place.secrets)
        pace = spec.requests_per_second or 0.0
        limits = Limits(_LIMITS.connect_seconds, _LIMITS.read_seconds, _LIMITS.total_seconds, per_second=pace)
        self._caller = Caller(limits)
        self._signer = Signer(spec.auth, self._known, self._caller)

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to one call. Raises Transient, Forbidden, and InvalidInput where the service sends on."""
        content = None if body is None else as_json(body)
        kind = {} if content is None else {"Content-Type": "application/json"}
        call = Call(f"{self._url}/{path}", {"Accept": "application/json", **kind, **(headers or {})}, method, content)
        answer = self._signer.send(lambda: call)
        if answer.status == 403 and _USED_UP in answer.body:
            hint = "wait until the system counts anew, or ask its owner for a higher limit"
            raise Transient("web_unavailable", self._known.words(answer), where=answer.place, hint=hint)
        is_of_the_row = answer.status == 403 and any(words in answer.body for words in _OF_THE_ROW)
        if (answer.status in {401, 403, 407} and not is_of_the_row) or 300 <= answer.status < 400:
            raise refusal(answer, self._known)
        return answer

    def found(self, path: str) -> Answer:
        """What is there; for questions that every instance answers. Raises InvalidInput for another answer."""
        answer = self.ask("GET", path)
        if answer.status != 200:
            raise self._no_object(answer)
        return answer

    def read(self, answer: Answer, kind: type[T]) -> T:
        """What an answer holds. Raises InvalidInput when that is something else: another service answers there."""
        try:
            return read_json(answer.body, kind)
        except msgspec.DecodeError as error:
            raise InvalidInput(
                "crm_answer_unknown", f"the answer is not that of such a system: {error}", where=answer.place,
                hint="correct `system` and `url`; what was sent is sent again under the same key",
            ) from None  # fmt: skip

    def refused(self, answer: Answer, unknown: Sequence[str], *, nothing_there: bool = False) -> Receipt:
        """The receipt for an answer that refuses a row; ``unknown`` are its words for a field that is not there.

        Raises InvalidInput when it would refuse every row: for such a field, and with ``nothing_there`` for a 404.
        """
        if answer.status in {405, 410} or (answer.status == 404 and nothing_there):
            raise self._no_object(answer)
        self.raise_if_unknown(answer.body.decode("utf-8", "replace"), unknown, answer.place)
        return Receipt(False, f"{answer.status}: {self._known.words(answer) or 'without a word'}")

    def raise_if_unknown(self, said: str, unknown: Sequence[str], where: str) -> None:
        """Raise InvalidInput when what was said means a field that is not there: it is missing for every row."""
        if any(word in said for word in unknown):
            raise InvalidInput(
                "crm_field_unknown",
                f"{self._object} has no such field: {said[:300]}",
                where=where,
                hint="correct `fields`, `columns` or `external_id`; or let the user write to the field",
            )

    def close(self) -> None:
        """Let go of the connection."""
        self._caller.close()

    def _no_object(self, answer: Answer) -> InvalidInput:
        said = f"the service answered {answer.status}: {self._known.words(answer) or 'without a word'}"
        hint = "correct `object`, `external_id` and `url`"
        return InvalidInput("crm_object_unknown", f"{self._object}: {said}", where=answer.place, hint=hint)
