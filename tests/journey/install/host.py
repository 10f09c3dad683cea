"""A home and a search path of its own, and commands run there as a user runs them."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "install.sh"


@dataclass(frozen=True)
class Host:
    """A user's home and what surrounds it."""

    home: Path
    path: str = os.environ["PATH"]

    @property
    def prefix(self) -> Path:
        return self.home / ".local/share/clawdbot"

    @property
    def launcher(self) -> Path:
        return self.home / ".local/bin/clawdbot"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
        # The developer's own mirror holds for the tests too.
        config = os.environ.get("XDG_CONFIG_HOME", str(Path("~/.config").expanduser()))
        ours = {"HOME": str(self.home), "PATH": self.path, "LANG": "C.UTF-8"}
        return kept | {"XDG_CONFIG_HOME": config} | ours | more

    def run(self, *arguments: object, pipe: str = "", **more: str) -> tuple[int, str]:
        """Run a command away from any terminal; give its status and all that it said."""
        done = subprocess.run(
            [str(argument) for argument in arguments],
            input=pipe,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment(**more),
            cwd=self.home,
            text=True,
            timeout=280,
            check=False,
            start_new_session=True,
        )
        return done.returncode, done.stdout

    def versions(self) -> list[str]:
        return [path.name for path in self.prefix.glob("versions/*")]
