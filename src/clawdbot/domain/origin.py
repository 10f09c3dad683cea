"""Where a secret may be sent: origins, written one way so that equal places are equal texts."""

import re

_ORIGIN = re.compile(
    r"(?:(?P<scheme>https?|wss?)://)?"
    r"(?P<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])\.?"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_SECURE = {"": "https", "https": "https", "wss": "https", "http": "http", "ws": "http"}
_PORTS = {"https": 443, "http": 80}
_PORT_MOST = 65535


def origin_of(address: str) -> str:
    """Give `https://host[:port]` of a host or an address; a bare host means https.

    Raises ValueError for what is neither: user names, other schemes, hosts not written in ASCII.
    """
    found = _ORIGIN.fullmatch(address)
    if not found:
        raise ValueError(address)
    scheme = _SECURE[(found["scheme"] or "").lower()]
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port <= _PORT_MOST:
        raise ValueError(address)
    place = f"{scheme}://{found['host'].lower()}"
    return place if port == _PORTS[scheme] else f"{place}:{port}"


def place_of(address: str) -> str:
    """Give an address's origin, or nothing where it has none."""
    try:
        return origin_of(address)
    except ValueError:
        return ""
