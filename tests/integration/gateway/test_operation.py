"""The API: typed operations, areas as they are now, problems that say what happened.

Covers clawdbot.gateway.operation.
"""

import msgspec

from clawdbot.gateway.operation import describe
from clawdbot.panel.api import OPERATIONS
from tests.integration.gateway.conftest import Running
from tests.integration.panel.conftest import Browser, add_user, browser, browsing, write

__all__ = ["browser"]


async def test_an_operation_answers_with_its_struct(browser: Browser) -> None:
    page = await browser.call("GET", "/people")
    assert 200 == page.status
    assert ["Ann"] == [each["name"] for each in msgspec.json.decode(page.text)]


async def test_a_change_takes_a_struct_and_gives_nothing(browser: Browser) -> None:
    wish = {"name": "mail", "text": "s3cret", "origins": ["https://mail.example"]}
    assert 204 == (await browser.call("PUT", "/secrets", wish)).status
    listed = (await browser.call("GET", "/secrets")).text
    assert "mail" in listed
    assert "s3cret" not in listed


async def test_what_is_read_needs_no_more_than_its_path(browser: Browser) -> None:
    for path in {e.path for e in OPERATIONS if e.method == "GET" and "{" not in e.path}:
        asked = f"{path}?words=hello" if path == "/search" else path
        assert (asked, 200) == (asked, (await browser.call("GET", asked)).status)


async def test_a_query_is_read_by_its_types(browser: Browser) -> None:
    assert 200 == (await browser.call("GET", "/audit?most=5&user=")).status
    wrong = await browser.call("GET", "/audit?most=many")
    assert 400 == wrong.status
    assert "application/problem+json" == wrong.headers["Content-Type"].partition(";")[0]
    assert {"title": "BadInput", "status": 400} == {
        key: value for key, value in msgspec.json.decode(wrong.text).items() if key != "detail"
    }


async def test_what_does_not_fit_changes_nothing(browser: Browser) -> None:
    wishes: tuple[object, ...] = ({"name": 1}, {"name": "x", "colour": "red"}, [], {"text": "t"})
    for wish in wishes:
        assert 400 == (await browser.call("PUT", "/secrets", wish)).status
    assert [] == msgspec.json.decode((await browser.call("GET", "/secrets")).text)


async def test_what_does_not_fit_is_told_in_the_readers_language(browser: Browser) -> None:
    assert 200 == (await browser.call("PATCH", "/me", {"language": "zh"})).status
    wish = await browser.call("PUT", "/secrets", {"name": 1})
    asked = await browser.call("GET", "/audit?most=many")
    details = [msgspec.json.decode(page.text)["detail"] for page in (wish, asked)]
    assert [
        "应为 `str`，而不是 `int`（`$.name`）",
        "应为 `int`，而不是 `str`（`$.most`）",
    ] == details
    assert "应为 `int`，而不是 `str`" in (await browser.get("/logs?most=many")).text


async def test_an_area_is_open_while_the_role_opens_it(service: Running) -> None:
    add_user(service, "Bob", role="clerk", language="zh")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        refused = await bob.call("GET", "/people")
        assert 403 == refused.status
        assert "你没有" in msgspec.json.decode(refused.text)["detail"]
        role = msgspec.json.encode({"areas": ["people"]})
        write(service, "INSERT INTO roles VALUES ('clerk', ?, 1e9)", (role,))
        assert 200 == (await bob.call("GET", "/people")).status
        assert 403 == (await bob.call("GET", "/audit")).status
        write(service, "DELETE FROM roles WHERE name = ?", ("clerk",))
        assert 403 == (await bob.call("GET", "/people")).status


def test_the_description_tells_every_operation() -> None:
    document = describe(OPERATIONS)
    paths = document["paths"]
    assert isinstance(paths, dict)
    told = {(method, path) for path, methods in paths.items() for method in methods}
    assert {(each.method.lower(), f"/api/v1{each.path}") for each in OPERATIONS} == told
    named = [method["operationId"] for methods in paths.values() for method in methods.values()]
    assert len(named) == len(set(named))
    text = msgspec.json.encode(document).decode()
    for ref in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert ref in document["components"]["schemas"]  # type: ignore[index]
