"""`clawdbot completion`: what a shell needs to complete our command line."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script."""
    if completion := get_completion_class(shell):
        root = ctx.find_root().command
        click.echo(completion(root, {}, "clawdbot", "_CLAWDBOT_COMPLETE").source())
