"""A start loads what it needs: no extra, and nothing that only some commands use."""

import subprocess
import sys

from tests.patience import PATIENCE_S

HEAVY = {"argon2", "click", "cryptography", "httpx", "httpx2", "jinja2", "mcp", "selenium", "trio"}


def test_a_service_starts_without_extras_and_without_what_is_used_later() -> None:
    program = "import sys, clawdbot.app.serving; print(*{m.partition('.')[0] for m in sys.modules})"
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert set() == HEAVY & set(done.stdout.split())
