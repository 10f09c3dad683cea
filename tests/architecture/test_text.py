"""A Chinese reader meets no English sentence: what the source says, the catalogue translates."""

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import jinja2
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from jinja2 import nodes

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Module, modules

CATALOGUE = Path("src/clawdbot/locale/zh_CN/LC_MESSAGES/clawdbot.po")
HELP = Path("src/clawdbot/panel/help.tsv")
SPEAKERS = {"say", "t", "_t"}
TEMPLATES = {".html", ".jinja"}
COMPILE = "pybabel compile -D clawdbot -d src/clawdbot/locale"


@dataclass(frozen=True)
class Sentence:
    """An English sentence in the source, its place, and the names that its call fills in."""

    place: str
    english: str
    filled: frozenset[str] | None = None


def test_every_sentence_is_translated() -> None:
    assert [] == untranslated(ROOT)


def test_every_sentence_gets_its_values() -> None:
    assert [] == unfilled(ROOT)


def test_both_sides_of_a_translation_have_the_same_placeholders() -> None:
    assert [] == mismatched(ROOT)


def test_the_compiled_catalogue_is_up_to_date() -> None:
    assert "" == stale(ROOT)


def untranslated(root: Path) -> list[str]:
    """List sentences that have no Chinese."""
    have = _translations(_read(root))
    return [f"{s.place}: {s.english}" for s in _sentences(root) if not have.get(s.english)]


def unfilled(root: Path) -> list[str]:
    """List sentences whose placeholders the call does not fill."""
    return [
        f"{s.place}: {s.english}"
        for s in _sentences(root)
        if s.filled is not None and not _placeholders(s.english) <= s.filled
    ]


def mismatched(root: Path) -> list[str]:
    """List translations whose placeholders are not the English ones."""
    pairs = _translations(_read(root)).items()
    return [en for en, zh in pairs if zh and _placeholders(en) != _placeholders(zh)]


def stale(root: Path) -> str:
    """Say what to do where the compiled catalogue is missing or older than its source."""
    compiled = (root / CATALOGUE).with_suffix(".mo")
    if not compiled.exists():
        return COMPILE
    have = _translations(read_mo(io.BytesIO(compiled.read_bytes())))
    want = {english: chinese for english, chinese in _translations(_read(root)).items() if chinese}
    return "" if want == have else COMPILE


def _read(root: Path) -> Catalog:
    path = root / CATALOGUE
    return read_po(io.BytesIO(path.read_bytes())) if path.exists() else Catalog()


def _translations(catalogue: Catalog) -> dict[str, str]:
    return {str(m.id): "" if m.fuzzy else str(m.string) for m in catalogue if m.id}


def _placeholders(text: str) -> set[str]:
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return {"not a format"}
    return {re.split(r"[.\[]", name)[0] for name in names}


def _sentences(root: Path) -> Iterator[Sentence]:
    failures = Module("domain/errors.py", root / "src/clawdbot/domain/errors.py")
    kinds = set()
    if failures.path.exists():
        yield from _failures(failures)
        kinds = {node.name for node in failures.syntax.body if isinstance(node, ast.ClassDef)}
    for module in modules(root):
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.Call):
                yield from _said(node, f"{module.place}:{node.lineno}", kinds)
    yield from _helped(root)
    package = root / "src" / "clawdbot"
    for path in sorted(p for p in package.rglob("*") if p.suffix in TEMPLATES):
        yield from _shown(path, path.relative_to(package).as_posix())


def _helped(root: Path) -> Iterator[Sentence]:
    path = root / HELP
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        if not line.startswith("#"):
            yield Sentence(f"{HELP.name}:{number}", line.partition("\t")[2])


def _failures(module: Module) -> Iterator[Sentence]:
    for node in module.syntax.body:
        if not isinstance(node, ast.ClassDef):
            continue
        place = f"{module.place}:{node.lineno}"
        yield Sentence(place, (ast.get_docstring(node) or "").split("\n", 1)[0])
        for inner in node.body:
            match inner:
                case (
                    ast.Assign(targets=[ast.Name(id="remedy")], value=ast.Constant(value=str(text)))
                    | ast.AnnAssign(target=ast.Name("remedy"), value=ast.Constant(value=str(text)))
                ) if text:
                    yield Sentence(place, text)


def _said(call: ast.Call, place: str, kinds: set[str]) -> Iterator[Sentence]:
    """Find the sentences of `say(language, "...")`, `listing(("...",), ...)`, `Failure("...")`."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name in SPEAKERS:
        filled = {keyword.arg for keyword in call.keywords}
        names = None if None in filled else frozenset(map(str, filled))
        for english in _literals(call.args[1 if name == "say" and len(call.args) > 1 else 0]):
            yield Sentence(place, english, names if name == "say" else None)
    elif name == "listing" and isinstance(call.args[0], ast.Tuple):
        yield from (Sentence(place, word) for word in map(ast.literal_eval, call.args[0].elts))
    elif name in kinds and call.args and not isinstance(call.args[0], ast.JoinedStr):
        for english in _literals(call.args[0]):  # with values it is a detail, and says its own
            yield Sentence(place, english)


def _literals(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _literals(body)
            yield from _literals(orelse)
        case ast.JoinedStr():
            yield f"{ast.unparse(node)} (a sentence with holes: name them in braces)"


def _shown(path: Path, place: str) -> Iterator[Sentence]:
    template = jinja2.Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
    for call in template.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in SPEAKERS:
            for argument in call.args:
                if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
                    yield Sentence(f"{place}:{call.lineno}", argument.value)


_PO = 'msgid "Hello {name}"\nmsgstr "你好 {name}"\n\nmsgid "Bye"\nmsgstr "再见"\n'


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("a.py", "say(language, 'New')"),
        ("a.py", "text.say(who.language, 'New', n=1)"),
        ("a.py", "say(language, 'Bye' if late else 'New')"),
        ("a.py", "LABELS = {'x': _t('New')}"),
        ("a.py", "raise Denied('New')"),
        ("a.py", "say(language, f'Bye {name}')"),
        ("panel/templates/a.html", "<p title=\"{{ t('New') }}\">{{ t('Bye') }}</p>"),
        ("panel/templates/a.html", "{% if x %}{{ say('New', n=1) }}{% endif %}"),
        ("panel/help.tsv", "# all\na.b\tNew\na.c\tBye\n"),
        ("domain/errors.py", "class Denied(Exception):\n    '''New'''"),
        ("domain/errors.py", "class Denied(Exception):\n    '''Bye'''\n    remedy = 'New'"),
    ],
)
def test_a_planted_sentence_without_chinese_is_found(place: str, text: str, plant: Plant) -> None:
    plant("src/clawdbot/domain/errors.py", "class Denied(Exception):\n    '''Bye'''\n")
    plant(str(CATALOGUE), _PO)
    assert 1 == len(untranslated(plant(f"src/clawdbot/{place}", text)))


def test_an_empty_or_fuzzy_translation_does_not_count(plant: Plant) -> None:
    plant("src/clawdbot/a.py", "say(language, 'One')\nsay(language, 'Two')")
    catalogue = 'msgid "One"\nmsgstr ""\n\n#, fuzzy\nmsgid "Two"\nmsgstr "二"\n'
    assert ["a.py:1: One", "a.py:2: Two"] == untranslated(plant(str(CATALOGUE), catalogue))


def test_a_call_that_forgets_a_value_is_found(plant: Plant) -> None:
    text = "say(l, 'Hello {name}', nam=1)\nsay(l, 'Hello {name}', name=1)\nsay(l, 'Hi {x}', **y)"
    assert ["a.py:1: Hello {name}"] == unfilled(plant("src/clawdbot/a.py", text))


def test_different_placeholders_are_found(plant: Plant) -> None:
    assert [] == mismatched(plant(str(CATALOGUE), _PO))
    root = plant(str(CATALOGUE), _PO.replace("你好 {name}", "你好 {nam}"))
    assert ["Hello {name}"] == mismatched(root)


def test_a_stale_compiled_catalogue_is_found(plant: Plant) -> None:
    root = plant(str(CATALOGUE), _PO)
    assert COMPILE == stale(root)
    compiled = (root / CATALOGUE).with_suffix(".mo")
    with compiled.open("wb") as file:
        write_mo(file, _read(root))
    assert "" == stale(root)
    plant(str(CATALOGUE), _PO.replace("再见", "再会"))
    assert COMPILE == stale(root)
