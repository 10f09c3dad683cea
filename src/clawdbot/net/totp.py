"""One-time passwords by the time (RFC 6238: SHA-1, 30 seconds, 6 digits). Pure."""

import hashlib
import hmac
from base64 import b32encode

STEP_S = 30
DIGITS = 6
KEY_BYTES = 20
_WINDOW = 1


def code(key: bytes, step: int) -> str:
    """Give the code of a step."""
    digest = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 0xF
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(typed: str, key: bytes, now: float, used: int) -> int | None:
    """Find the step of a typed code, one early or late allowed; None for a wrong or a used one."""
    given = typed.replace(" ", "").encode(errors="replace")
    here, found = int(now) // STEP_S, None
    for step in range(here - _WINDOW, here + _WINDOW + 1):
        if hmac.compare_digest(code(key, step).encode(), given) and step > used:
            found = step
    return found


def text_of(key: bytes) -> str:
    """Write a key as apps take it."""
    return b32encode(key).decode().rstrip("=")


def uri(key: bytes, issuer: str, name: str) -> str:
    """Give the address that an app reads as a QR code."""
    name = "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in name.encode())
    given = f"secret={text_of(key)}&issuer={issuer}&digits={DIGITS}&period={STEP_S}"
    return f"otpauth://totp/{issuer}:{name}?{given}"
