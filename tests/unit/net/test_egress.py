"""SSRF by every spelling: what is refused, what is allowed, and that check and use are one."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from yarl import URL

from clawdbot.net.egress import Allow, Refuse, Rules, is_address, judge, kind, read, rule

ANY = Rules.of(["*"])
PUBLIC = ["93.184.215.14"]

LOOPBACK = [
    "127.0.0.1", "127.1", "127.0.1", "0x7f000001", "0x7f.0.0.1", "0X7F.1", "2130706433",
    "017700000001", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "0", "0.0.0.0", "0x0",
    "１２７.0.0.1", "１２７。０。０。１", "①②⑦.0.0.1", "127｡0｡0｡1", "１２７.１",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::80ff:fffe]",
    "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[fec0::1]", "[ff02::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[5f00::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]",
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "192.0.0.9", "192.88.99.1", "198.18.0.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "203.0.113.9",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK)
def test_no_spelling_of_an_inner_address_is_allowed(host: str) -> None:
    for url in (f"http://{host}", f"HTTPS://{host}:80/", f"https://{host}:443/x"):
        for addresses in (None, PUBLIC):  # whatever a resolver would say of it
            assert isinstance(judge(url, ANY, addresses), Refuse)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "//example.com", "http:", "http://", "http:///", "http:example.com",
        "http:/example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com",
        "javascript:alert(1)", "data:text/plain,x", "view-source:http://example.com",
        "http://user@example.com/", "http://user:password@example.com", "http://@example.com",
        "http://example.com@127.0.0.1/", "http://127.0.0.1\\@example.com/",
        "http://example.com\\.evil/", "http://example.com#@127.0.0.1\\", "http:\\\\example.com",
        "http://exam\tple.com", "http://exam\nple.com/", "http://example.com/\r\nX: 1",
        " http://example.com", "http://example.com/a b", "http://example.com/\x00",
        "http://example.com/\u202e", "http://exa\u200bmple.com", "http://example.com/\ud800",
        "http://example.com:", "http://example.com:0", "http://example.com:65536",
        "http://example.com:99999999", "http://example.com:８０", "http://example.com:80:80",
        "http://example.com:-1", "http://[::1", "http://::1/", "http://[example.com]/",
        "http://[::1]x/", "http://[::1].example.com/", "http://[127.0.0.1]/", "http://[v1.a]/",
        "http://.example.com", "http://example..com", "http://example.com..", "http://.",
        "http://-example.com", "http://exa%6dple.com", "http://%31%32%37.0.0.1", "http://a,b.com",
        "http://1.2.3", "http://1.2.3.4.5", "http://1.2.3.256", "http://0x1.example.0x2",
        f"http://{'a' * 64}.com", f"http://{'a.' * 127}com", "http://\u2488.com", "http://⁄.com",
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_not_read(url: str) -> None:
    for addresses in (None, PUBLIC):
        assert isinstance(judge(url, ANY, addresses), Refuse)


@pytest.mark.parametrize(
    ("url", "read_as"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://EXAMPLE.com./a?b#c", "https://example.com/a?b"),
        ("https://example.com:443?q=1", "https://example.com/?q=1"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://example.com/@127.0.0.1/", "http://example.com/@127.0.0.1/"),
        ("http://example.com?@127.0.0.1/", "http://example.com/?@127.0.0.1/"),
        ("http://example.com/#@127.0.0.1/", "http://example.com/"),
        ("http://ｅｘａｍｐｌｅ。ｃｏｍ/", "http://example.com/"),
        ("http://exam\u00adple.com/", "http://example.com/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://例え.テスト/路", "http://xn--r8jz45g.xn--zckzah/路"),
        ("http://my_site.example.com/", "http://my_site.example.com/"),
        ("http://127.0.0.1.nip.example/", "http://127.0.0.1.nip.example/"),
        ("http://8.8.8.8:80/", "http://8.8.8.8/"),
        ("https://[2606:4700:0:0::1111]/x", "https://[2606:4700::1111]/x"),
    ],
)
def test_what_is_plain_is_read_in_one_way(url: str, read_as: str) -> None:
    assert read_as == read(url).url
    allowed = judge(url, ANY, PUBLIC)
    assert isinstance(allowed, Allow)
    assert read_as == allowed.target.url
    assert not allowed.private


@given(st.text() | st.from_regex(r"https?://[^/]{1,30}(/.*)?", fullmatch=True))
@example("http://xn--0/")
@example("http://a/?b%zz")
def test_what_is_read_is_what_the_client_will_use(url: str) -> None:
    try:
        target = read(url)
    except ValueError:
        return
    assert target == read(target.url)
    used = URL(target.url)
    assert (target.scheme, target.host, target.port) == (used.scheme, used.raw_host, used.port)
    assert (None, None, target.authority) == (used.user, used.password, used.raw_authority)
    pinned = used.with_host("192.0.2.1")
    assert ("192.0.2.1", used.raw_path_qs) == (pinned.raw_host, pinned.raw_path_qs)


@given(st.ip_addresses())
def test_a_public_address_is_one_for_everybody_else_too(address: IPv4Address | IPv6Address) -> None:
    if kind(str(address)) == "public":
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.ip_addresses(v=4).filter(lambda inner: int(inner) != 1))  # ::1 is no carrier
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("8.8.8.8"))
def test_an_address_that_carries_another_is_never_reached(inner: IPv4Address) -> None:
    number = int(inner)
    mapped = (0xFFFF << 32, 0xFFFF << 48, 0, 0x64FF9B << 96, (0x64FF9B0001 << 80))
    carriers = [IPv6Address(base | number) for base in mapped]
    carriers += [IPv6Address(0x2002 << 112 | number << 80), IPv6Address(0x20010000 << 96 | number)]
    assert {"never"} == {kind(str(carrier)) for carrier in carriers}


@pytest.mark.parametrize("address", ["", "localhost", "1", "127.1", "::1%lo%", "8.8.8.8 "])
def test_what_a_resolver_should_not_say_is_never_reached(address: str) -> None:
    assert "never" == kind(address)
    assert isinstance(judge("http://a.example", ANY, [address]), Refuse)


@pytest.mark.parametrize(
    "addresses", [[], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:8.8.8.8"], ["fe80::1%2"]]
)
def test_one_inner_address_among_them_refuses_a_name(addresses: list[str]) -> None:
    assert isinstance(judge("http://a.example", ANY, addresses), Refuse)


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        ("example.com", "http://example.com/", True),
        ("example.com", "https://EXAMPLE.COM./", True),
        ("Example.COM.", "https://example.com/", True),
        ("example.com", "http://example.com:8080/", False),
        ("example.com", "http://a.example.com/", False),
        ("example.com", "http://notexample.com/", False),
        ("example.com", "http://example.com.evil.example/", False),
        ("example.com:8443", "https://example.com:8443/", True),
        ("example.com:8443", "https://example.com/", False),
        ("*.example.com", "http://a.example.com/", True),
        ("*.example.com", "http://a.b.example.com/", True),
        ("*.example.com", "http://example.com/", False),
        ("*.example.com", "http://evilexample.com/", False),
        ("*.example.com:8080", "http://a.example.com:8080/", True),
        ("*", "http://anything.example/", True),
        ("*", "http://anything.example:22/", False),
        ("bücher.example", "http://xn--bcher-kva.example/", True),
        ("8.8.8.8", "http://8.8.8.8/", True),
        ("[2606:4700::1]:8080", "http://[2606:4700:0::1]:8080/", True),
    ],
)
def test_a_host_is_allowed_by_its_rule_alone(hosts: str, url: str, allowed: bool) -> None:
    assert allowed == isinstance(judge(url, Rules.of([hosts]), PUBLIC), Allow)
    assert allowed == isinstance(judge(url, Rules.of([hosts])), Allow)
    assert isinstance(judge(url, Rules.of([]), PUBLIC), Refuse)


@pytest.mark.parametrize(
    "text",
    ["", "*.", "**", "*.*", "*:80", "a.*", "http://a.com", "a.com/", "a b", "*.10.0.0.1",
     "127.1", "user@a.com", "a.com:0", "a.com:70000", "a.com:x", "*.[::1]", "::1"],
)  # fmt: skip
def test_what_is_no_rule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        rule(text)


HOME = Rules.of(["*", "ha.lan:8123", "10.0.0.7:80"], private=["ha.lan:8123", "10.0.0.7:80"])


@pytest.mark.parametrize(
    ("url", "addresses", "allowed"),
    [
        ("http://ha.lan:8123/", ["192.168.1.5"], True),
        ("http://ha.lan:8123/", ["127.0.0.1", "fd00::5"], True),
        ("http://ha.lan:8123/", ["8.8.8.8"], True),
        ("http://ha.lan:8123/", ["169.254.169.254"], False),
        ("http://ha.lan:8123/", ["fd00:ec2::254"], False),
        ("http://ha.lan:8123/", ["0.0.0.0"], False),
        ("http://ha.lan/", ["192.168.1.5"], False),
        ("http://other.lan/", ["192.168.1.5"], False),
        ("http://10.0.0.7/", [], True),
        ("http://10.0.0.7:443/", [], False),
        ("http://10.0.0.8/", [], False),
    ],
)
def test_a_private_address_is_for_the_host_that_the_settings_name(
    url: str, addresses: list[str], allowed: bool
) -> None:
    verdict = judge(url, HOME, addresses)
    assert allowed == isinstance(verdict, Allow)
    assert not isinstance(verdict, Allow) or verdict.private
    assert isinstance(judge(url, replace(HOME, private=()), addresses), Refuse) or addresses == [
        "8.8.8.8"
    ]


def test_a_wildcard_never_reaches_what_is_private() -> None:
    for hosts in (["*"], ["*.lan"], ["*.lan:8123"]):
        rules = Rules.of(hosts, private=["ha.lan:8123", "ha.lan:80"])
        for url in ("http://ha.lan:8123/", "http://ha.lan/"):
            assert isinstance(judge(url, rules, ["192.168.1.5"]), Refuse)


@pytest.mark.parametrize(
    "host", ["localhost", "a.localhost", "printer", "nas.local", "vault.internal", "x.home.arpa"]
)
def test_a_name_of_the_house_is_not_for_a_proxy_to_find(host: str) -> None:
    assert isinstance(judge(f"http://{host}/", ANY), Refuse)
    named = Rules.of([f"{host}:80"], private=[f"{host}:80"])
    assert isinstance(judge(f"http://{host}/", named), Allow)


def test_a_refusal_shows_the_host_alone() -> None:
    for url in ("http://u:canary@h.example/", "http://h.example:81/canary?canary#canary"):
        refused = judge(url, ANY, PUBLIC)
        assert isinstance(refused, Refuse)
        assert "canary" not in refused.reason
    assert is_address(read("http://[2606:4700::1]/").host)
    assert not is_address(read("http://1.example/").host)
