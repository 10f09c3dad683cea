"""What a plugin raises to say why it could not do its work; the message is shown as it is.

PluginError
    ArgumentError       an argument is wrong: the caller may mend it
    ForbiddenError      the plugin would need a permission that it does not have
    UnavailableError    the same call may succeed later
"""


class PluginError(Exception):
    """The plugin could not do its work."""


class ArgumentError(PluginError):
    """An argument is missing or wrong."""


class ForbiddenError(PluginError):
    """The plugin may not do this."""


class UnavailableError(PluginError):
    """It did not work now and may work later."""
