"""A self-signed certificate made on the fly, with nothing but the standard library.

ECDSA on the curve P-256 (FIPS 186-4), written in DER (X.690). It is for failing handshakes only:
the arithmetic is neither fast nor safe against somebody who measures it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import tempfile
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_A = _P - 3
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_INTEGER, _BIT_STRING, _OCTET_STRING, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x30, 0x31
_UTF8, _UTC_TIME, _VERSION, _CURVE, _PUBLIC_KEY = 0x0C, 0x17, 0xA0, 0xA0, 0xA1
# Object identifiers, already encoded: commonName, ecPublicKey, prime256v1, ecdsa-with-SHA256.
_COMMON_NAME = bytes.fromhex("0603550403")
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")
_P256 = bytes.fromhex("06082a8648ce3d030107")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_NAME = "OpenRouter emulator, trusted by nobody"
_LIFETIME = timedelta(days=1)

_Point = tuple[int, int] | None


@lru_cache(maxsize=1)
def self_signed_context() -> ssl.SSLContext:
    """Return a server's TLS context with a new key and a certificate that it signed itself."""
    secret = 1 + secrets.randbelow(_ORDER - 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.touch(mode=0o600)
        path.write_text(_private_key(secret) + _certificate(secret))
        context.load_cert_chain(path)
    return context


def _certificate(secret: int) -> str:
    now = datetime.now(timezone.utc)
    times = (now - _LIFETIME, now + _LIFETIME)
    validity = _der(
        _SEQUENCE, *(_der(_UTC_TIME, f"{each:%y%m%d%H%M%SZ}".encode()) for each in times)
    )
    common_name = _der(_SEQUENCE, _COMMON_NAME, _der(_UTF8, _NAME.encode()))
    name = _der(_SEQUENCE, _der(_SET, common_name))
    key = _der(_SEQUENCE, _der(_SEQUENCE, _EC_KEY, _P256), _bits(_public(secret)))
    version, serial = _der(_VERSION, _integer(2)), _integer(secrets.randbits(63))
    signed = _der(_SEQUENCE, version, serial, _ECDSA_SHA256, name, validity, name, key)
    signature = _bits(_sign(secret, signed))
    return _pem("CERTIFICATE", _der(_SEQUENCE, signed, _ECDSA_SHA256, signature))


def _private_key(secret: int) -> str:
    """Return the key as RFC 5915 writes it."""
    curve, public = _der(_CURVE, _P256), _der(_PUBLIC_KEY, _bits(_public(secret)))
    octets = _der(_OCTET_STRING, secret.to_bytes(32, "big"))
    return _pem("EC PRIVATE KEY", _der(_SEQUENCE, _integer(1), octets, curve, public))


def _public(secret: int) -> bytes:
    return b"\x04" + b"".join(each.to_bytes(32, "big") for each in _times(secret, _BASE) or ())


def _sign(secret: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        nonce = 1 + secrets.randbelow(_ORDER - 1)
        r = (_times(nonce, _BASE) or (0, 0))[0] % _ORDER
        s = pow(nonce, -1, _ORDER) * (digest + r * secret) % _ORDER
        if r and s:
            return _der(_SEQUENCE, _integer(r), _integer(s))


def _times(factor: int, point: _Point) -> _Point:
    product: _Point = None
    for bit in f"{factor:b}":
        product = _plus(product, product)
        if bit == "1":
            product = _plus(product, point)
    return product


def _plus(one: _Point, other: _Point) -> _Point:
    """Add two points of the curve; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    if one == other:
        slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P) % _P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, _P) % _P
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:  # noqa: PLR2004 - the longest length that is written in one byte
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _integer(value: int) -> bytes:
    # One bit more than the number has, because the first bit is the sign.
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content: bytes) -> bytes:
    return _der(_BIT_STRING, b"\x00", content)


def _pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(content).decode()}-----END {label}-----\n"
