"""The entry of `clawdbot`: tells its version at once, leaves all else to the commands."""

import sys

from clawdbot import BUILD_DATE, __version__


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"clawdbot {__version__} (built {BUILD_DATE})\n")
        return
    from clawdbot.cli.commands import run  # its libraries alone cost 0.2 s of CPU

    sys.exit(run(sys.argv[1:]))
