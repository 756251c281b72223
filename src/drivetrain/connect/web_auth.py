"""Who asks: credentials put on a call, and words of an answer without them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import assert_never
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

import msgspec

from drivetrain.connect.web_call import Answer, Call, Caller
from drivetrain.core.connections import BasicAuth, BearerAuth, KeyAuth, OAuth2, RestAuth
from drivetrain.core.credentials import SecretRef, Secrets
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound

_EARLY = 0.1  # of its life a token is renewed before it ends
_UNSAID = 3600.0  # seconds that a token lives when its service does not say
_WORDS = 200


class Discreet:
    """Looks credentials up, and remembers them only to keep them out of every text."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._known: set[str] = set()

    def get(self, value: str | SecretRef) -> str:
        """The credential as it is now; a plain text as it is. Raises NotFound."""
        if isinstance(value, str):
            return value
        found = self._secrets.get(value)
        self.hide(found)
        return found

    def hide(self, secret: str) -> None:
        """Keep this, and the forms in which it travels, out of texts from now on."""
        self._known |= {secret, quote(secret, safe=""), quote_plus(secret)} - {""}

    def words(self, answer: Answer) -> str:
        """What an answer says, shortened, in one line, without credentials."""
        text = answer.body[:65536].decode("utf-8", "replace")
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, "***")
        text = " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL).split())
        return f"{text[:_WORDS]}..." if len(text) > _WORDS else text


@dataclass(frozen=True)
class Signature:
    """What a credential adds to a call."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)

    def on(self, call: Call) -> Call:
        """The call with it; a parameter of the same name is replaced."""
        parts = urlsplit(call.url)
        query = parts.query
        if self.params:
            kept = [
                (name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in self.params
            ]
            query = urlencode([*kept, *self.params.items()])
        return Call(urlunsplit(parts._replace(query=query)), {**call.headers, **self.headers}, call.method, call.body)


class Token(msgspec.Struct, frozen=True):
    """What a token service answers (RFC 6749, 5.1)."""

    access_token: str
    expires_in: float | str | None = None


class Signer:
    """Signs calls as the source says."""

    def __init__(self, auth: RestAuth | None, known: Discreet, caller: Caller) -> None:
        self._auth, self._known, self._caller = auth, known, caller
        self._token, self._ends = "", 0.0

    def sign(self) -> Signature:
        """With the credentials as they are now. Raises NotFound without them, Forbidden, Transient without a token."""
        auth, get = self._auth, self._known.get
        match auth:
            case None:
                return Signature()
            case KeyAuth(header=str(header)):
                return Signature({header: get(auth.key)})
            case KeyAuth():
                return Signature(params={auth.parameter or "": get(auth.key)})
            case BasicAuth():
                return Signature({"Authorization": self._basic(get(auth.user), get(auth.password))})
            case BearerAuth():
                return Signature({"Authorization": f"Bearer {get(auth.token)}"})
            case OAuth2():
                return Signature({"Authorization": f"Bearer {self._live_token(auth)}"})
            case _:
                assert_never(auth)

    def send(self, make: Callable[[], Call]) -> Answer:
        """The answer to a signed call; made and signed anew, if that makes a difference, where it was refused (401)."""
        call = self.sign().on(make())
        answer = self._caller.send(call)
        if answer.status == 401:
            self._token = ""
            renewed = self.sign().on(make())
            if renewed != call:
                answer = self._caller.send(renewed)
        return answer

    def _basic(self, user: str, password: str) -> str:
        packed = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._known.hide(packed)
        return f"Basic {packed}"

    def _live_token(self, auth: OAuth2) -> str:
        if not self._token or monotonic() >= self._ends:
            asked = monotonic()
            self._token, life = self._ask(auth)
            self._ends = asked + life * (1 - _EARLY)
            self._known.hide(self._token)
        return self._token

    def _ask(self, auth: OAuth2) -> tuple[str, float]:
        """A token, and the seconds that it lives."""
        client, secret = self._known.get(auth.client_id), self._known.get(auth.client_secret)
        form = {"grant_type": "client_credentials", "scope": auth.scope, "audience": auth.audience}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if auth.send == "body":
            form |= {"client_id": client, "client_secret": secret}
        else:  # both are form-encoded first (RFC 6749, 2.3.1)
            headers["Authorization"] = self._basic(quote_plus(client), quote_plus(secret))
        sent = urlencode({name: value for name, value in form.items() if value is not None}).encode()
        answer = self._caller.send(Call(auth.token_url, headers, "POST", sent))
        if answer.status != 200:
            raise refusal(answer, self._known, credentials=answer.status in {400, 401, 403})
        try:
            token = read_json(answer.body, Token)
            return token.access_token, _UNSAID if token.expires_in is None else float(token.expires_in)
        except (msgspec.DecodeError, ValueError):
            raise InvalidInput(
                "token_invalid", "the answer holds no token", where=answer.place, hint="correct `token_url`"
            ) from None


def refusal(answer: Answer, known: Discreet, *, credentials: bool | None = None) -> DrivetrainError:
    """The error for an answer that is neither data nor a fault that passes."""
    said = f"the service answered {answer.status}: {known.words(answer) or 'without a word'}"
    refused = answer.status in {401, 403, 407} if credentials is None else credentials
    if refused:
        return Forbidden(
            "credentials_refused", said, where=answer.place, hint="renew the credentials, or ask for their rights"
        )
    if answer.status in {404, 410}:
        return NotFound("web_unknown", said, where=answer.place, hint="correct `url` and `path`")
    if 300 <= answer.status < 400:
        target = answer.headers.get("location", "").partition("?")[0]
        return InvalidInput(
            "web_redirected",
            f"the service sends on to {target or 'nowhere'} ({answer.status}), where the credentials do not go",
            where=answer.place,
            hint="correct `url` and `path`; a login page means that the credentials are not accepted",
        )
    return InvalidInput("web_refused", said, where=answer.place, hint="correct what the answer names")
