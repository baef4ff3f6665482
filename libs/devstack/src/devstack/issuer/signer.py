"""An issuer's signing key, and what it publishes of it."""

import hashlib
import math
import os
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

ALGORITHM = "RS256"
A_DAY_OF_WORK = timedelta(hours=12)


class Signer:
    """Signs as `issuer`. Its key gives every role."""

    def __init__(self, issuer: str, key: RSAPrivateKey | None = None) -> None:
        self.issuer = issuer
        self._key = key or generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self._id = hashlib.sha256(public).hexdigest()[:16]

    @classmethod
    def load(cls, issuer: str, path: Path) -> Self:
        """The signer that another process has saved."""
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError(f"{path} holds no RSA key")
        return cls(issuer, key)

    def save(self, path: Path) -> None:
        """Save the key for another process of ours; nobody else may read it."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(pem)

    def keys(self) -> dict[str, Any]:
        """The public half, as a JSON Web Key Set."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [public | {"kid": self._id, "use": "sig", "alg": ALGORITHM}]}

    def token(
        self,
        subject: str,
        audience: str,
        *,
        lives: timedelta = A_DAY_OF_WORK,
        **claims: Any,
    ) -> str:
        now = time.time()
        usual = {
            "iss": self.issuer,
            "aud": audience,
            "sub": subject,
            "iat": int(now),
            "exp": math.ceil(now + lives.total_seconds()),
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(usual | claims, self._key, ALGORITHM, {"kid": self._id})
