"""Run the Telegram stand-in as its own process."""

import argparse
import asyncio
from pathlib import Path

from tests.fakes.serving import serve_until_stopped
from tests.fakes.telegram.server import TOKEN, TelegramServer
from tests.fakes.telegram.user import UNLIMITED, Pace


def main() -> None:
    """Run the server until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--pace", choices=("telegram", "off"), default="telegram")
    parser.add_argument("--until-eof", action="store_true")
    options = parser.parse_args()
    pace = UNLIMITED if options.pace == "off" else Pace()
    server = TelegramServer(token=options.token, pace=pace, state=options.state, port=options.port)
    asyncio.run(serve_until_stopped(server, until_eof=options.until_eof))


if __name__ == "__main__":
    main()
