"""HTTPS: a certificate that is read again when its files change, for the connections that come after that."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from drivetrain.connect.http.settings import Tls
from drivetrain.core.errors import InvalidInput

Stamps = tuple[tuple[int, ...], ...]


class Certificate:
    """The server's certificate. ``context`` is for listening; HTTP/2 is offered before HTTP/1.1 (ALPN).

    ``tell`` hears once of files that cannot be used. ``pem`` has the same key and chain for whoever listens without
    ``context``.
    """

    def __init__(self, files: Tls, tell: Callable[[str], None]) -> None:
        self._files, self._tell = files, tell
        self._said = ""
        self._stamps = self._look()
        self.context, self.pem = self._read()
        self._newest = self.context
        self.context.sni_callback = self._show

    def refresh(self) -> None:
        """Read the files again if they changed; ones that do not fit together leave the certificate as it is."""
        try:
            stamps = self._look()
            if stamps == self._stamps:
                return
            newest, pem = self._read()
            if self._look() == stamps:  # else they are being written right now
                self._newest, self.pem, self._stamps, self._said = newest, pem, stamps, ""
        except InvalidInput as error:
            if str(error) != self._said:  # looked at every second, told once
                self._said = str(error)
                self._tell(f"the certificate of before stays: {error}")

    def _show(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """A handshake begins: let it go on with the newest certificate."""
        connection.context = self._newest

    def _read(self) -> tuple[ssl.SSLContext, tuple[bytes, bytes]]:
        """A context of what is in the files now, and their bytes: key and chain. Raises InvalidInput."""
        certificate, key = self._files.certificate, self._files.key
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2", "http/1.1"])
        try:
            context.load_cert_chain(certificate, key, password="")  # else OpenSSL would ask whoever sits there
            return context, (key.read_bytes(), certificate.read_bytes())
        except (OSError, ssl.SSLError) as error:
            raise _unusable(f"the certificate and its key cannot be used: {error}", str(certificate)) from None

    def _look(self) -> Stamps:
        """What changes when a file does."""
        try:
            found = [path.stat() for path in (self._files.certificate, self._files.key)]
        except OSError as error:
            raise _unusable(f"{error.filename} cannot be read: {error.strerror}", "tls") from None
        return tuple((stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size) for stat in found)


def _unusable(message: str, where: str) -> InvalidInput:
    return InvalidInput(
        "certificate_unusable",
        message,
        where=where,
        hint="give a PEM certificate (with its chain) and the PEM key that belongs to it, without a password",
    )
