"""A plugin runs in a warm box of its own, and whatever it does there harms nobody else.

The program inside is `clawdbot.plugins.inside`.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from clawdbot.domain.errors import PluginFailed
from clawdbot.sandbox.profile import Bind
from clawdbot.sandbox.run import Sandbox
from clawdbot.sandbox.worker import Answer, Order, Pool, Printed, Program, Progress
from tests.patience import PATIENCE_S

HEAD = "from clawdbot.plugins import *\n"
FINE = "@system_command.register\ndef fine(params):\n    return 'fine'\n"

Write = Callable[..., Program]


@pytest.fixture
async def pool(sandbox: Sandbox) -> AsyncIterator[Pool]:
    async with Pool(sandbox, most=3).opened() as pool:
        yield pool


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a plugin's code into a folder and give its program."""

    def program(code: str, **more: object) -> Program:
        folder = tmp_path / f"plugin{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "it.py").write_text(HEAD + FINE + textwrap.dedent(code))
        return Program(main="it.py", folder=str(folder), **more)  # type: ignore[arg-type]

    return program


class Talk:
    """Calls of one user to one plugin, with what was said aside."""

    def __init__(self, pool: Pool, program: Program, user: str = "ann") -> None:
        self.said: list[Printed | Progress] = []
        self._pool = pool
        self._program = program
        self._key = (program.folder, user)

    async def call(
        self,
        name: str,
        timeout_s: float = 20.0,
        files: Mapping[str, bytes] | None = None,
        **arguments: object,
    ) -> Answer:
        order = Order(name=name, arguments=arguments, files=files or {}, timeout_s=timeout_s)
        return await self._pool.call(self._key, self._program, order, self.said.append)

    async def fails(self, name: str, reason: str, timeout_s: float = 20.0) -> None:
        """See a call fail, and the next one succeed."""
        with pytest.raises(PluginFailed, match=reason):
            await self.call(name, timeout_s)
        assert "fine" == (await self.call("fine")).value

    @property
    def printed(self) -> str:
        return "\n".join(each.text for each in self.said if isinstance(each, Printed))


async def test_a_function_tells_the_hosts_true_figures(each: Sandbox, write: Write) -> None:
    code = """
        @system_command.register
        def usage(params):
            import shutil
            return shutil.disk_usage("/")
    """
    async with Pool(each, most=1).opened() as pool:
        value = (await Talk(pool, write(code)).call("usage", files={"a": b"words"})).value
    assert isinstance(value, dict)
    assert ["total", "used", "free"] == list(value)
    assert shutil.disk_usage("/").total == value["total"]


async def test_what_a_plugin_registers_is_told_without_calling_it(pool: Pool, write: Write) -> None:
    code = '''
        @browser_automation.task(name="mail", hosts=("a.example",), timeout=9)
        def check(credentials: str) -> None:
            """Read the mail.

            All of it.
            """
            raise SystemExit
    '''
    told = await pool.functions(write(code), lambda _: None)
    assert b'"name": "mail"' in told
    assert b'"description": "Read the mail.\\n\\nAll of it."' in told
    assert b'"hosts": ["a.example"]' in told


async def test_synchronous_and_asynchronous_functions_take_typed_arguments(
    pool: Pool, write: Write
) -> None:
    code = """
        import asyncio
        from datetime import date
        @system_command.register
        def weekday(day: date) -> str:
            return day.strftime("%A")
        @system_command.register
        async def later(day: date, by: int = 1) -> str:
            await asyncio.sleep(0)
            return date.fromordinal(day.toordinal() + by)
    """
    talk = Talk(pool, write(code))
    assert "Thursday" == (await talk.call("weekday", day="2026-01-01")).value
    assert "2026-01-03" == (await talk.call("later", day="2026-01-01", by=2)).value


async def test_prints_and_progress_are_heard_and_the_value_stays_apart(
    pool: Pool, write: Write
) -> None:
    code = """
        import os, sys
        @system_command.register
        def talk():
            print("one", file=sys.stderr)
            progress("half", 0.5)
            print("two")
            os.write(1, b"past us")
            return 3
    """
    talk = Talk(pool, write(code))
    assert 3 == (await talk.call("talk")).value
    assert [Printed("one"), Progress("half", 0.5), Printed("two")] == talk.said


async def test_files_go_in_and_out_and_end_with_the_call(pool: Pool, write: Write) -> None:
    code = """
        import os
        @system_command.register
        def double(report: File):
            with open(report, "rb") as file:
                data = file.read()
            os.mkdir("mess"); File("mess/x", "")
            return [File("double.bin", data * 2), len(data)]
        @system_command.register
        def there():
            return os.listdir(".")
    """
    talk, data = Talk(pool, write(code)), bytes(range(256)) * 5000
    answer = await talk.call("double", files={"in.bin": data}, report="in.bin")
    assert {"double.bin": data * 2} == answer.files
    assert [{"file": "double.bin"}, len(data)] == answer.value
    assert [] == (await talk.call("there")).value


async def test_an_expected_error_is_told_and_the_worker_stays(pool: Pool, write: Write) -> None:
    code = """
        import os
        @system_command.register
        def bad():
            raise ArgumentError("the city is unknown")
        @system_command.register
        def state(seen=[]):
            seen.append(1)
            return len(seen)
    """
    talk = Talk(pool, write(code))
    assert 1 == (await talk.call("state")).value
    await talk.fails("bad", "^the city is unknown$")
    assert 2 == (await talk.call("state")).value


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("return 1 / 0", "^ZeroDivisionError: division by zero$"),
        ("raise KeyError('x')", "^KeyError: 'x'$"),
        ("return 'x' * (1 << 21)", "larger than 1 MiB"),
        ("os._exit(0)", "ended in the middle"),
        ("sys.exit(3)", "ended in the middle"),
        ("os.kill(os.getpid(), 11)", "ended in the middle"),
        ("return [bytearray(1 << 30) for _ in range(9)]", "MemoryError"),
        ("os.write(3, b'\\xff\\xff\\xff\\xff')", "protocol"),
        ("os.write(3, b'\\0\\x10\\0\\1')", "protocol"),
        ("os.write(3, b'\\0\\0\\0\\1{')", "protocol"),
        ("os.write(3, b'\\0\\0\\0\\2{}')", "protocol"),
        ("os.write(3, b'\\0\\0\\0\\4\\xff\\xfe{}')", "protocol"),
        ("frame({'is': 'manifest', 'functions': []})", "protocol"),
        ("frame({'is': 'done', 'id': 'x', 'value': 1})", "protocol"),
        ("frame({'is': 'file', 'name': 'a', 'data': '!'})", "protocol"),
        ("frame({'is': 'unheard of'})", "protocol"),
        ("raw(b'[' * 1000000)", "protocol"),
        ("[frame({'is': 'printed', 'text': 'x'}) for _ in range(5000)]", "says too much"),
        ("[frame({'is': 'file', 'name': 'a', 'data': 'A' * 800000}) for _ in range(40)]", "16 MiB"),
        ("os.close(3)", "ended in the middle"),
    ],
)  # fmt: skip
async def test_what_breaks_ends_alone_and_says_what_happened(
    code: str, reason: str, pool: Pool, write: Write
) -> None:
    whole = f"""
        import json, os, sys
        def raw(data):
            data = len(data).to_bytes(4, "big") + data
            while data:
                data = data[os.write(3, data):]
        def frame(value):
            raw(json.dumps(value).encode())
        @system_command.register
        def broken():
            {code}
            return "went on"
    """
    program = write(whole)
    other = Talk(pool, program, "ben")
    assert "fine" == (await other.call("fine")).value
    await Talk(pool, program).fails("broken", reason)
    assert "fine" == (await other.call("fine")).value


async def test_a_traceback_goes_to_the_log_and_shows_only_the_plugin(
    pool: Pool, write: Write
) -> None:
    code = "@system_command.register\ndef bad():\n    return {}['x']"
    talk = Talk(pool, write(code))
    await talk.fails("bad", "KeyError")
    assert "it.py" in talk.printed
    assert "inside.py" not in talk.printed


@pytest.mark.parametrize(
    "code", ["while True: pass", "import time; time.sleep(60)", "import signal; signal.pause()"]
)
async def test_what_hangs_is_stopped(code: str, pool: Pool, write: Write) -> None:
    program = write(f"@system_command.register\ndef hang():\n    {code}")
    begun = time.monotonic()
    await Talk(pool, program).fails("hang", "did not answer in time", timeout_s=0.3)
    assert 50 > time.monotonic() - begun


async def test_a_flood_of_prints_is_cut(pool: Pool, write: Write) -> None:
    code = "@system_command.register\ndef flood():\n    for _ in range(3000): print('x' * 99)"
    talk = Talk(pool, write(code))
    assert (await talk.call("flood")).value is None
    assert 70_000 > len(talk.printed)


async def test_a_child_answers_for_nobody_and_dies_with_the_worker(
    pool: Pool, write: Write
) -> None:
    code = """
        import os
        @system_command.register
        def twice():
            os.fork()
            return "once"
        @system_command.register
        def count():
            return sum(name.isdigit() for name in os.listdir("/proc"))
    """
    talk = Talk(pool, write(code))
    for _ in range(5):
        assert "once" == (await talk.call("twice")).value
    assert "fine" == (await talk.call("fine")).value


async def test_a_fork_bomb_meets_its_limit(pool: Pool, write: Write) -> None:
    code = "import os\n@system_command.register\ndef bomb():\n    while True: os.fork()"
    with pytest.raises(PluginFailed):
        await Talk(pool, write(code)).call("bomb", timeout_s=2)


async def test_an_answer_to_an_earlier_call_is_not_taken_for_this_one(
    pool: Pool, write: Write
) -> None:
    code = """
        import json, os
        @system_command.register
        def stale():
            data = json.dumps({"is": "done", "id": 0, "value": "stale"}).encode()
            os.write(3, len(data).to_bytes(4, "big") + data)
            return "mine"
    """
    assert "mine" == (await Talk(pool, write(code)).call("stale")).value


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(:", "SyntaxError"),
        ("system_command.register(host='x')", "TypeError: there is no option host"),
        ("system_command.register(lambda *a: a)", "PluginError"),
        ("import os; os._exit(1)", "ended in the middle"),
        ("import clawdbot.store", "ModuleNotFoundError"),
        ("import msgspec", "ModuleNotFoundError"),
    ],
)
async def test_what_cannot_be_loaded_says_why(
    code: str, reason: str, pool: Pool, write: Write
) -> None:
    with pytest.raises(PluginFailed, match=reason):
        await pool.functions(write(code), lambda _: None)


async def test_a_worker_that_registers_other_than_was_trusted_does_not_serve(
    pool: Pool, write: Write
) -> None:
    program = write("", functions=b"[]")
    with pytest.raises(PluginFailed, match="other functions than its owner trusted"):
        await Talk(pool, program).call("fine")


async def test_a_worker_sees_what_it_was_granted_and_no_more(
    pool: Pool, write: Write, tmp_path: Path
) -> None:
    code = """
        @system_command.register
        def read(path: str) -> str:
            try:
                with open(path) as file:
                    return file.read()
            except OSError as error:
                raise ForbiddenError(str(error))
    """
    granted, secret = tmp_path / "granted", tmp_path / "secret"
    granted.mkdir()
    for place in (granted / "a", secret):
        place.write_text("words")
    talk = Talk(pool, write(code, binds=(Bind(host=str(granted)),)))
    assert "words" == (await talk.call("read", path=str(granted / "a"))).value
    with pytest.raises(PluginFailed, match="No such file"):
        await talk.call("read", path=str(secret))


async def test_each_user_has_a_worker_of_their_own(pool: Pool, write: Write) -> None:
    code = "seen = []\n@system_command.register\ndef add(x):\n    seen.append(x)\n    return seen"
    program = write(code)
    ann, ben = Talk(pool, program, "ann"), Talk(pool, program, "ben")
    assert ["a"] == (await ann.call("add", x="a")).value
    assert ["b"] == (await ben.call("add", x="b")).value
    assert ["a", "c"] == (await ann.call("add", x="c")).value


async def test_calls_of_one_worker_queue_and_those_of_others_do_not(
    pool: Pool, write: Write
) -> None:
    code = "import time\n@system_command.register\ndef nap():\n    time.sleep(0.4)\n    return 1"
    program = write(code)
    talks = [Talk(pool, program, user) for user in ("ann", "ann", "ben")]
    await asyncio.gather(*(talk.call("fine") for talk in talks))
    begun = time.monotonic()
    await asyncio.gather(*(talk.call("nap") for talk in talks))
    assert 0.75 < time.monotonic() - begun < PATIENCE_S


async def test_a_cancelled_call_cleans_up_and_the_worker_stays(pool: Pool, write: Write) -> None:
    code = """
        import time
        seen = []
        @system_command.register
        def nap():
            seen.append("begun")
            progress("sleeping")
            try:
                time.sleep(60)
            finally:
                seen.append("cleaned")
        @system_command.register
        def told():
            return seen
    """
    talk = Talk(pool, write(code))
    await talk.call("fine")
    async with asyncio.TaskGroup() as group:
        call = group.create_task(talk.call("nap"))
        while not talk.said:
            await asyncio.sleep(0.01)
        call.cancel()
    assert ["begun", "cleaned"] == (await talk.call("told")).value


async def test_workers_are_recycled_after_some_calls_and_when_idle(
    sandbox: Sandbox, write: Write
) -> None:
    code = """
        seen = []
        @system_command.register
        def count():
            seen.append(1)
            return len(seen)
    """
    async with Pool(sandbox, calls=2, idle_s=0.2).opened() as pool:
        program = write(code)
        talk = Talk(pool, program)
        assert [1, 2, 1] == [(await talk.call("count")).value for _ in range(3)]
        async with asyncio.timeout(PATIENCE_S):
            while _boxes(program):
                await asyncio.sleep(0.05)
        assert 1 == (await talk.call("count")).value


async def test_no_more_workers_are_warm_than_may_be(pool: Pool, write: Write) -> None:
    program = write("")
    for user in "abcdef":
        assert "fine" == (await Talk(pool, program, user).call("fine")).value
    assert 3 == _boxes(program)
    answers = await asyncio.gather(*(Talk(pool, program, user).call("fine") for user in "abcdef"))
    assert ["fine"] * 6 == [answer.value for answer in answers]


async def test_no_worker_outlives_its_pool(sandbox: Sandbox, write: Write) -> None:
    program = write("")
    async with Pool(sandbox).opened() as pool:
        await Talk(pool, program).call("fine")
        assert 1 == _boxes(program)
    assert 0 == _boxes(program)


async def test_no_worker_outlives_the_kill_of_its_parent(write: Write, tmp_path: Path) -> None:
    program = write("import time\n@system_command.register\ndef nap():\n    time.sleep(60)")
    parent = f"""
        import asyncio, os, pathlib
        from clawdbot.sandbox.run import Sandbox
        from clawdbot.sandbox.worker import Order, Pool, Program
        async def main():
            program = Program(main="it.py", folder={program.folder!r})
            pool = Pool(Sandbox(pathlib.Path({str(tmp_path / "sandbox")!r})))
            for user in "ab":
                await pool.call((user,), program, Order(name="fine", arguments={{}}), print)
            print("ready", flush=True)
            await pool.call(("a",), program, Order(name="nap", arguments={{}}), print)
        asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"ready\n" == process.stdout.readline()
        assert 2 == _boxes(program)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while _boxes(program) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert 0 == _boxes(program)


def _boxes(program: Program) -> int:
    """Count the workers of a plugin."""
    count = 0
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = place.read_bytes().split(b"\0")
        except OSError:
            continue
        count += b"python" in command[0] and program.folder.encode() in command
    return count
