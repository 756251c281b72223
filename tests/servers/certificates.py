"""An authority, a certificate of it for 127.0.0.1, and another authority that nobody trusts; all as PEM files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    ca: Path
    certificate: Path
    key: Path
    other: Path


def write_certificates(folder):
    """The certificate serves a server and a client alike."""
    folder.mkdir(parents=True)
    files = Certificates(*(folder / f"{name}.pem" for name in ("ca", "certificate", "key", "other")))
    authority, key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    files.ca.write_bytes(_certificate("authority", authority, "authority", authority))
    files.other.write_bytes(_certificate("other", other, "other", other))
    files.certificate.write_bytes(_certificate("authority", authority, "127.0.0.1", key))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _certificate(issuer, issuers_key, subject, subjects_key):
    is_authority, now = issuer == subject, datetime.now(UTC)
    building = (
        x509.CertificateBuilder(_name(issuer), _name(subject), subjects_key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(subject))])
        building = building.add_extension(names, critical=False)
    return building.sign(issuers_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
