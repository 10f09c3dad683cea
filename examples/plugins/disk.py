"""The host's disk, told from inside the sandbox."""

from clawdbot.plugins import system_command


@system_command.register
def disk_usage(params):
    """Tell how full this machine's disk is, in bytes."""
    import shutil

    return shutil.disk_usage("/")
