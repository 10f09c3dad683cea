"""May this address be reached? One reading of a URL, hosts by name, addresses by our own table.

A URL is requested exactly as it was read (`Target.url`), so that the check cannot differ from the
use: what two programs could read in two ways is refused, not understood. A private address is
for hosts that the settings name with their port, and never what a wildcard reaches.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

import idna
from msgspec import Struct

PORTS = {"http": 80, "https": 443}

Kind = Literal["public", "private", "never"]

_URL = re.compile(r"(https?)://([^/?#\\@]+)([/?#].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_UNREADABLE = re.compile(
    r"[\s\\\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_NAME_MOST = 253
_HOME = re.compile(r"[^.]*|.*\.(localhost|local|internal|lan|home|home\.arpa|intranet|corp)")

# What the settings may open: loopback, private use, shared (also Tailscale's), unique local.
_PRIVATE = "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 ::1 fc00::/7"
# What nothing opens: "this" network, link-local with the clouds' metadata, protocol assignments,
# documentation, 6to4, benchmarks, multicast, reserved; metadata of Azure, Alibaba, AWS and Google.
_NEVER = """
    0.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/3 168.63.129.16 100.100.100.200 fd00:ec2::254 fd20:ce::254
    2001::/23 2001:db8::/32 2002::/16 3ffe::/16 3fff::/20
"""
# Of IPv6 only global unicast is public, and no part of it that carries another address inside.
_PUBLIC = "0.0.0.0/0 2000::/3"
_TABLE: list[tuple[Kind, list[IPv4Network | IPv6Network]]] = [
    ("never", [*map(ip_network, _NEVER.split())]),
    ("private", [*map(ip_network, _PRIVATE.split())]),
    ("public", [*map(ip_network, _PUBLIC.split())]),
]


class Target(Struct, frozen=True, kw_only=True):
    """A URL as it was read: the host in lower case ASCII or an address, `rest` from the path on."""

    scheme: str
    host: str
    port: int
    rest: str

    @property
    def authority(self) -> str:
        """Give host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Give scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """Give the one spelling that may be requested."""
        return self.origin + self.rest


class Rule(Struct, frozen=True):
    """A host (`*` for any, `*.` for those below), its port; without one 80 and 443."""

    host: str
    port: int | None

    def fits(self, target: Target) -> bool:
        """Tell whether a target is meant."""
        if target.port not in ({80, 443} if self.port is None else {self.port}):
            return False
        if self.host.startswith("*."):
            return target.host.endswith(self.host[1:])
        return self.host in {"*", target.host}


class Rules(Struct, frozen=True, kw_only=True):
    """Which hosts may be reached; the `private` ones (with ports) at private addresses too."""

    hosts: tuple[Rule, ...]
    private: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, hosts: Iterable[str], private: Iterable[str] = ()) -> "Rules":
        """Read rules: `example.com`, `*.example.com`, `example.com:8443`; raises ValueError."""
        return cls(hosts=tuple(map(rule, hosts)), private=tuple(map(rule, private)))


class Allow(Struct, frozen=True):
    """It may be requested, as `target.url`; `private` where the settings name it."""

    target: Target
    private: bool


class Refuse(Struct, frozen=True):
    """It may not; `reason` shows nothing but the host."""

    reason: str


def judge(url: str, rules: Rules, addresses: Sequence[str] | None = None) -> Allow | Refuse:
    """Decide on a URL: before its name is looked up (`addresses` is None), then with all it has.

    Behind a proxy that resolves for us the first answer is the only one.
    """
    try:
        target = read(url)
    except ValueError as error:
        return Refuse(str(error))
    fitting = [rule for rule in rules.hosts if rule.fits(target)]
    if not fitting:
        return Refuse(f"{target.host}:{target.port} is not on the list of hosts")
    if is_address(target.host):
        addresses = (target.host,)
    exact = any(rule.host == target.host for rule in fitting)
    named = exact and any(rule.port is not None and rule.fits(target) for rule in rules.private)
    if addresses is None:
        at_home = not named and _HOME.fullmatch(target.host)
        return Refuse(f"{target.host} is no public name") if at_home else Allow(target, named)
    allowed = {"public", "private"} if named else {"public"}
    if not addresses or not all(kind(address) in allowed for address in addresses):
        return Refuse(f"{target.host} has no public address")
    return Allow(target, named)


def kind(address: str) -> Kind:
    """Look an address up in the table; what is none is never reached."""
    try:
        found = ip_address(address)
    except ValueError:
        return "never"
    return next((kind for kind, those in _TABLE if any(found in each for each in those)), "never")


def read(url: str) -> Target:
    """Read a URL in the one way it can be read; raises ValueError."""
    if not (found := _URL.fullmatch(url)) or _UNREADABLE.search(url):
        raise ValueError("This is no plain http or https address")
    scheme, authority, rest = found[1].lower(), found[2], (found[3] or "").partition("#")[0]
    host, port = _authority(authority)
    rest = rest if rest.startswith("/") else f"/{rest}"
    return Target(scheme=scheme, host=host, port=port or PORTS[scheme], rest=rest)


def is_address(host: str) -> bool:
    """Tell whether the host of a target is an address and no name."""
    return not _NAME.fullmatch(host)


def rule(text: str) -> Rule:
    """Read a rule of an allow-list; raises ValueError."""
    if text == "*":
        return Rule("*", None)
    below, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    host, port = _authority(name)
    if below and is_address(host):
        raise ValueError(f"{text[:80]!r} is no host")
    return Rule(below + host, port)


def _authority(text: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(text)
    if not found or not 0 < int(found[2] or 1) < 65536:
        raise ValueError(f"{text[:80]!r} is no host")
    return _host(found[1]), int(found[2]) if found[2] else None


def _host(text: str) -> str:
    try:
        if text.startswith("["):
            return IPv6Address(text[1:-1]).compressed
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
        name = name.lower().removesuffix(".")
        if len(name) <= _NAME_MOST and _NAME.fullmatch(name):
            return name
        return str(IPv4Address(name))
    except ValueError as error:  # what begins like a number is four decimals, or nothing
        raise ValueError(f"{text[:80]!r} is no host") from error
