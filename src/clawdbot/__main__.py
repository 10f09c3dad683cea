"""`python -m clawdbot` is `clawdbot`."""

from clawdbot.cli.main import main

main()
