"""Certificate authorities that live as long as a test."""

import datetime
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BOTH = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


@dataclass(frozen=True)
class Pair:
    """A certificate, its key and who signed it, as PEM."""

    certificate: bytes
    key: bytes
    authority: bytes

    def write(self, folder: Path) -> None:
        """By the names that cert-manager gives them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tls.crt").write_bytes(self.certificate)
        (folder / "tls.key").write_bytes(self.key)
        (folder / "ca.crt").write_bytes(self.authority)


class Authority:
    def __init__(self, name: str) -> None:
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = _begin(self._name, self._name, self._key.public_key())
        certificate = certificate.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = _pem(certificate.sign(self._key, SHA256()))

    def issue(self, *names: str) -> Pair:
        """For a server and a client of these names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _begin(_named(names[0]), self._name, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), False
            )
            .add_extension(x509.ExtendedKeyUsage(_BOTH), False)
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signed = _pem(certificate.sign(self._key, SHA256()))
        return Pair(signed, pem, self.certificate)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        # Longer than what the server warns about.
        .not_valid_after(now + datetime.timedelta(days=90))
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
