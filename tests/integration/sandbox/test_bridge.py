"""The proxy inside a box ends as its program does; what it carries is tried with tool servers."""

import socket
from pathlib import Path

from clawdbot.sandbox import bridge
from clawdbot.sandbox.profile import Bind, Box
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import Sandbox


async def test_it_names_itself_and_ends_as_its_program_does(tmp_path: Path) -> None:
    code = str(Path(bridge.__file__).resolve())
    box = Box(
        argv=(*PYTHON, code, "sh", "-c", "echo $https_proxy; exit 7"),
        binds=(*PYTHON_BINDS, Bind(host=code)),
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outcome = await Sandbox(tmp_path / "sandbox").run(box, sockets=[theirs])
    assert 7 == outcome.code
    assert outcome.out.startswith(b"http://127.0.0.1:")
