"""Read a source tree: its modules, functions and names.

Every detector takes a root, so that each is tried on a tree with a planted fault too.
"""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A Python file: its place below the package, its text, its syntax."""

    place: str
    path: Path

    @cached_property
    def text(self) -> str:
        """Read the source."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def syntax(self) -> ast.Module:
        """Parse the source."""
        return ast.parse(self.text)

    @property
    def dotted(self) -> str:
        """Give the import name: `clawdbot.gateway.inbox`."""
        return ".".join(["clawdbot", *self.place.removesuffix(".py").split("/")])

    @cached_property
    def functions(self) -> list[tuple[str, Function]]:
        """List every function with its qualified name, nested ones too."""
        return list(_functions(self.syntax, ""))

    @cached_property
    def imports(self) -> set[str]:
        """Name everything imported: the modules, and each name taken from one."""
        taken = {name.rpartition(".")[0] for _, name, _ in self._imported if "." in name}
        return taken | {name for _, name, _ in self._imported}

    @cached_property
    def uses(self) -> list[tuple[str, int]]:
        """List dotted names as they are used, aliases resolved: `aiohttp.ClientSession`, line."""
        found = [(name, line) for _, name, line in self._imported]
        known = {alias: name for alias, name, _ in self._imported}
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Attribute):
                head, _, tail = ast.unparse(node).partition(".")
                found.append((f"{known.get(head, '')}.{tail}", node.lineno))
        return found

    @cached_property
    def _imported(self) -> list[tuple[str, str, int]]:
        """List what each import binds: the name here, the full name, the line."""
        found = []
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.split(".")[0]
                    found.append((bound, alias.name if alias.asname else bound, node.lineno))
                    found.append(("", alias.name, node.lineno))
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    found.append((alias.asname or alias.name, full, node.lineno))
        return found


def modules(root: Path) -> list[Module]:
    """List the package's modules."""
    package = root / "src" / "clawdbot"
    return [Module(p.relative_to(package).as_posix(), p) for p in sorted(package.rglob("*.py"))]


def suites(root: Path, *names: str) -> list[Module]:
    """List the Python files of test suites; their place is below `tests`."""
    top = root / "tests"
    found = [path for name in names for path in sorted((top / name).rglob("*.py"))]
    return [Module(path.relative_to(top).as_posix(), path) for path in found]


def files(root: Path) -> list[Path]:
    """List what belongs to the repository: tracked or about to be."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [path for line in done.stdout.splitlines() if (path := root / line).is_file()]


def lines_of_list(path: Path) -> list[str]:
    """Read a list file: one entry a line, its first word; `#` begins a comment."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    words = (line.split("#")[0].split() for line in text.splitlines())
    return [entry[0] for entry in words if entry]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}{getattr(child, 'name', '')}"
        if isinstance(child, Function):
            yield name, child
        inner = f"{name}." if isinstance(child, Function | ast.ClassDef) else prefix
        yield from _functions(child, inner)
