"""Run the model stand-in as its own process."""

import argparse
import asyncio

from tests.fakes.models.server import MODEL, OWNERS, ModelServer, Timing
from tests.fakes.serving import serve_until_stopped


def main() -> None:
    """Run the server until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    parser.add_argument("--flavour", choices=tuple(OWNERS), default="cloud")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--first-ms", type=float, default=50.0)
    parser.add_argument("--token-ms", type=float, default=0.0)
    parser.add_argument("--count", type=int, default=42)
    parser.add_argument("--until-eof", action="store_true")
    options = parser.parse_args()
    timing = Timing(first_ms=options.first_ms, token_ms=options.token_ms, count=options.count)
    server = ModelServer(
        timing=timing,
        models=tuple(options.model) or (MODEL,),
        key=options.key,
        flavour=options.flavour,
        port=options.port,
    )
    asyncio.run(serve_until_stopped(server, until_eof=options.until_eof))


if __name__ == "__main__":
    main()
