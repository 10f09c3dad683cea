"""What a plugin imports: decorators that record, files, progress, typed errors; nothing acts.

This package is loaded inside the sandbox and knows the standard library only: what it cannot
import, a plugin cannot reach.
"""

from clawdbot.plugins import browser_automation, system_command
from clawdbot.plugins.errors import ArgumentError, ForbiddenError, PluginError, UnavailableError
from clawdbot.plugins.files import File
from clawdbot.plugins.report import progress

__all__ = [
    "ArgumentError",
    "File",
    "ForbiddenError",
    "PluginError",
    "UnavailableError",
    "browser_automation",
    "progress",
    "system_command",
]
