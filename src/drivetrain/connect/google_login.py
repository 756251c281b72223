"""Access tokens of Google Cloud: by the key of a service account, or by the identity that a machine there has.

"Using OAuth 2.0 for Server to Server Applications" of Google's documentation (RFC 7523); the metadata server of Compute
Engine, which Cloud Run and GKE have, too.
"""

from __future__ import annotations

import base64
import time
from time import monotonic
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from drivetrain.connect.web_auth import Discreet, Token, refusal
from drivetrain.connect.web_call import Call, Caller
from drivetrain.core.credentials import SecretRef
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import Forbidden, InvalidInput, Transient

MACHINE = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE, _EARLY = 3600, 0.1  # seconds; of its life a token is renewed before it ends


class _Key(msgspec.Struct):
    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""


class GoogleLogin:
    """Gives tokens for one scope. With neither reference it asks the machine for its own identity."""

    def __init__(
        self, service_account: SecretRef | None, token: SecretRef | None, scope: str, known: Discreet, caller: Caller
    ) -> None:
        self._service_account, self._given, self._scope = service_account, token, scope
        self._known, self._caller = known, caller
        self._token, self._ends = "", 0.0

    def token(self) -> str:
        """A token that lives. Raises NotFound, Forbidden, InvalidInput; Transient where nobody answers."""
        if self._given is not None:
            return self._known.get(self._given)
        if not self._token or monotonic() >= self._ends:
            asked = monotonic()
            found = self._ask(self._signed() if self._service_account is not None else _machine())
            life = _LIFE if found.expires_in is None else float(found.expires_in)
            self._token, self._ends = found.access_token, asked + life * (1 - _EARLY)
            self._known.hide(self._token)
        return self._token

    def forget(self) -> None:
        """The token was refused: the next is a new one."""
        self._token = ""

    def _ask(self, call: Call) -> Token:
        try:
            answer = self._caller.send(call)
        except Transient:
            if call.url != MACHINE:
                raise
            raise Forbidden(
                "google_no_identity",
                "the source names no credentials, and this machine has no identity at Google Cloud",
                where=call.place,
                hint="give `service_account: {file: PATH}` or `token: {env: NAME}`",
            ) from None
        if answer.status != 200:
            raise refusal(answer, self._known, credentials=answer.status in {400, 401, 403, 404})
        try:
            return read_json(answer.body, Token)
        except msgspec.DecodeError:
            hint = "correct `token_uri` in the key"
            raise InvalidInput("token_invalid", "the answer holds no token", where=answer.place, hint=hint) from None

    def _signed(self) -> Call:
        assert self._service_account is not None
        text = self._known.get(self._service_account)
        try:
            key = read_json(text, _Key)
            private = serialization.load_pem_private_key(key.private_key.encode(), None)
        except (msgspec.DecodeError, ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, rsa.RSAPrivateKey):
            raise InvalidInput(
                "google_key_invalid",
                "this is no key of a service account",
                where=str(self._service_account),
                hint="the JSON file that `gcloud iam service-accounts keys create` writes",
            )
        self._known.hide(key.private_key)
        now = int(time.time())
        claims = {"iss": key.client_email, "scope": self._scope, "aud": key.token_uri, "iat": now, "exp": now + _LIFE}
        head = {"alg": "RS256", "typ": "JWT", **({"kid": key.private_key_id} if key.private_key_id else {})}
        said = f"{_packed(msgspec.json.encode(head))}.{_packed(msgspec.json.encode(claims))}"
        signature = private.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256())
        body = urlencode({"grant_type": _GRANT, "assertion": f"{said}.{_packed(signature)}"}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return Call(key.token_uri, headers, "POST", body)


def _machine() -> Call:
    return Call(MACHINE, {"Metadata-Flavor": "Google"})


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
