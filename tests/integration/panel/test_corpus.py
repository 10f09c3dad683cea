"""Whatever people call themselves and their conversations: on every page it stays a text.

Each page is read as a browser reads it: no element, attribute or address that is not ours.
"""

import sqlite3
import time
from contextlib import closing
from html.parser import HTMLParser

from clawdbot.panel.shell import PLACES
from tests.integration.gateway.conftest import Running
from tests.integration.panel.conftest import Browser
from tests.journey.world import NAMES, fill

NEVER = frozenset({"iframe", "object", "embed", "base", "style", "math"})
CORPUS = (
    *NAMES,
    *("<svg/onload=alert(1)>", '"><script>alert(1)</script>', "javascript:alert(1)"),
    *(
        "' autofocus onfocus='alert(1)",
        "{{ config }}",
        "{% raw %}",
        "</title><script>",
        "&lt;b&gt;",
    ),
    *("\u202egnp.exe", "\u0000nul", "a\nb", "<!--", "]]>", "<math><mi//xlink:href='data:x,y'>"),
)


class Reader(HTMLParser):
    """Collects what of a page is not plain text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.strange: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in NEVER:
            self.strange.append(tag)
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.strange.append(f"script {given}")
        self.strange += [f"{tag} {name}" for name in given if name.startswith("on")]
        self.strange += [f"{tag} style" for name in given if name == "style"]
        for name in ("href", "src", "action", "formaction"):
            if given.get(name, "/").lower().lstrip().startswith(("javascript:", "data:")):
                self.strange.append(f"{tag} {name} {given[name]}")


async def test_a_name_is_a_text_on_every_page(service: Running, browser: Browser) -> None:
    fill(service.home, time.time(), conversations=40, people=30)
    _name_all(service)
    for place in PLACES:
        text = (await browser.get(place.path)).text
        reader = Reader()
        reader.feed(text)
        assert [] == reader.strange, place.path
    assert "&lt;svg/onload=alert(1)&gt;" in (await browser.get("/chat")).text


def _name_all(service: Running) -> None:
    """Give people, strangers, accounts and conversations names of the corpus."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=20)) as db, db:
        for table, column, key in (
            ("users", "name", "id"),
            ("identities", "name", "external"),
            ("pairings", "name", "code_hash"),
            ("conversations", "title", "id"),
        ):
            where = " WHERE role <> 'owner'" if table == "users" else ""
            found = db.execute(f"SELECT {key} FROM {table}{where}").fetchall()
            for n, (id_,) in enumerate(found):
                name = CORPUS[n % len(CORPUS)]
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (name, id_))
