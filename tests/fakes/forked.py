"""The command line from an interpreter that forks: what is imported is imported once.

Importing is four fifths of what a command costs. In all else a command is as a shell starts it: a
process of its own, with its own arguments, environment, folder, standard files and exit.
"""

import atexit
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

_NUMBER = struct.Struct("i")
_MOST = 1 << 17


def run(
    args: tuple[str, ...], environ: Mapping[str, str], folder: Path, text: str, most_s: float
) -> subprocess.CompletedProcess[str]:
    """Run `clawdbot ...` to its end with a text on standard input."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(text)
        given.seek(0)
        with theirs:
            order = json.dumps([args, dict(environ), str(folder)]).encode()
            files = [file.fileno() for file in (given, out, err, theirs)]
            socket.send_fds(_forker(environ["PYTHONPATH"]), [order], files)
        pid = _NUMBER.unpack(ours.recv(_NUMBER.size))[0]
        ours.settimeout(most_s)
        try:
            code = _NUMBER.unpack(ours.recv(_NUMBER.size))[0]
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(args, most_s) from None
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(args, code, out.read(), err.read())


@cache
def _forker(path: str) -> socket.socket:
    """Start the interpreter with that PYTHONPATH; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": path},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _main(orders: socket.socket) -> None:
    from clawdbot.config import load

    with load.without_authorities():
        for package in ("cli", "app"):
            folder = import_module(f"clawdbot.{package}")
            for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
                import_module(module.name)
    gc.freeze()
    args, environ, place = _serve(orders)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(place)
    sys.argv = ["", *args]
    sys.path[0] = place
    runpy.run_module("clawdbot", run_name="__main__", alter_sys=True)


def _serve(orders: socket.socket) -> tuple[list[str], dict[str, str], str]:
    """Fork for each order; return it, in the new process only."""
    living = 0
    while True:
        order, files, _, _ = socket.recv_fds(orders, _MOST, 4)
        if not order:
            sys.exit()
        if os.fork() == 0:
            orders.close()
            _keep(socket.socket(fileno=files.pop()))
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return json.loads(order)
        for file in files:
            os.close(file)
        living += 1
        while living and os.waitpid(-1, os.WNOHANG)[0]:
            living -= 1


def _keep(told: socket.socket) -> None:
    """Fork once more, to tell the new process's number and how it ends; return in it only."""
    with told:
        pid = os.fork()
        if pid == 0:
            return
        told.send(_NUMBER.pack(pid))
        _, status = os.waitpid(pid, 0)
        told.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
