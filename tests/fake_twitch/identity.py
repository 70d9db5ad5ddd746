"""OpenID tokens, really signed (RS256), with the key a client can fetch."""

import base64
from functools import cache

import orjson
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fake_twitch.world import Json


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def sign(claims: Json) -> str:
    """The claims as a compact JWT."""
    head = _b64(orjson.dumps({"alg": "RS256", "typ": "JWT", "kid": "1"}))
    signed = f"{head}.{_b64(orjson.dumps(claims))}"
    return f"{signed}.{_b64(_key().sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def jwks() -> Json:
    """What /oauth2/keys answers."""
    public = _key().public_key().public_numbers()
    key = {"alg": "RS256", "e": _number(public.e), "kid": "1", "kty": "RSA", "n": _number(public.n), "use": "sig"}
    return {"keys": [key]}
