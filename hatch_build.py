"""Stamp the build date into the built copy of the package; the source tree is never written."""

import os
import re
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "src/clawdbot/__init__.py"


class BuildDate(BuildHookInterface[BuilderConfig]):
    """Write BUILD_DATE from SOURCE_DATE_EPOCH, else from the commit; else leave the source's."""

    def initialize(self, version: str, build_data: dict[str, dict[str, str]]) -> None:
        """Replace the package's first module in what is built (not in an editable install)."""
        seconds = os.environ.get("SOURCE_DATE_EPOCH") or self._commit_time()
        if version == "editable" or not seconds:
            return
        date = datetime.fromtimestamp(int(seconds), UTC).date().isoformat()
        source = Path(self.root, PACKAGE).read_text(encoding="utf-8")
        stamped, found = re.subn(r'(?m)^BUILD_DATE = "[^"]*".*$', f'BUILD_DATE = "{date}"', source)
        if found != 1:
            message = f"{PACKAGE} must assign BUILD_DATE once"
            raise ValueError(message)
        self._folder = tempfile.TemporaryDirectory()
        copy = Path(self._folder.name, "__init__.py")
        copy.write_text(stamped, encoding="utf-8")
        target = PACKAGE.removeprefix("src/") if self.target_name == "wheel" else PACKAGE
        build_data["force_include"][str(copy)] = target

    def _commit_time(self) -> str:
        if not Path(self.root, ".git").exists():
            return ""
        command = ["git", "-C", self.root, "log", "-1", "--format=%ct"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
        return done.stdout.strip()
