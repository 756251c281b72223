"""HTTPS: a context whose certificate is read again when its files change, for the connections that come after that."""

from __future__ import annotations

import ssl
import sys

from drivetrain.core.errors import InvalidInput
from drivetrain.serve.settings import Tls


class Certificate:
    """The server's certificate. ``context`` is for listening; HTTP/2 is offered before HTTP/1.1 (ALPN)."""

    def __init__(self, files: Tls) -> None:
        self._files = files
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self._stamp = self._stamps()
        self._load(self.context)

    def refresh(self) -> None:
        """Read the files again if they changed; ones that do not fit together leave the certificate as it is."""
        try:
            stamp = self._stamps()
            if stamp == self._stamp:
                return
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a trial: half a renewal must not break what works
            self._load(self.context)
            self._stamp = stamp
        except InvalidInput as error:
            print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - a server's log is its stderr

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._files.certificate, self._files.key)
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(
                "certificate_unusable",
                f"the certificate and its key cannot be used: {error}",
                where=str(self._files.certificate),
                hint="give a PEM certificate (with its chain) and the PEM key that belongs to it, without a password",
            ) from None

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        try:
            found = [path.stat() for path in (self._files.certificate, self._files.key)]
        except OSError as error:
            raise InvalidInput(
                "certificate_unusable", f"{error.filename} cannot be read: {error.strerror}", where="tls"
            ) from None
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in found)
