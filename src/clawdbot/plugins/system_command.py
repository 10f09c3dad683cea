"""`@system_command.register`: a function that runs in the sandbox."""

from clawdbot.plugins.recorded import Recorder

register = Recorder("command")
