"""Where tools may work: each conversation's own folder, and the roots that the settings grant.

A path without a root's name is in the conversation's folder, which a box sees at `/work`.
"""

import hashlib
from pathlib import Path

from clawdbot.domain.errors import Denied, ToolFailed
from clawdbot.domain.settings import FileRoot
from clawdbot.tools.beneath import Beneath
from clawdbot.tools.registry import Grant


class Folders:
    """Finds the folder that a path is in."""

    def __init__(self, home: Path, roots: dict[str, FileRoot]) -> None:
        self.home = home
        self._work = home / "data" / "work"
        self._roots = roots

    def work(self, grant: Grant) -> Path:
        """Give a conversation's own folder, made with its first use."""
        name = hashlib.sha256(grant.conversation.encode()).hexdigest()[:24]
        folder = self._work / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def roots(self, grant: Grant) -> dict[str, FileRoot]:
        """Give the roots that are this user's."""
        return {name: root for name, root in self._roots.items() if grant.user.role in root.roles}

    def find(self, grant: Grant, path: str, *, write: bool = False) -> tuple[Beneath, str]:
        """Find where a path leads; raises Denied for a root that is another's, or only to read."""
        name, _, rest = path.removeprefix("/").partition("/")
        if path.startswith("/") and name == "work":
            return Beneath(self.work(grant)), rest
        if not path.startswith("/"):
            return Beneath(self.work(grant)), path
        root = self.roots(grant).get(name)
        if root is None:
            known = ", ".join(f"/{each}" for each in ("work", *self.roots(grant)))
            raise ToolFailed(f"There is no root /{name}; there are: {known}.")
        if write and not root.write:
            raise Denied(f"/{name} may only be read.")
        return Beneath(Path(root.path).expanduser()), rest
