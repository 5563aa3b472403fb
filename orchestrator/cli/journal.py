"""``journal show`` and ``journal verify``."""

import typer

app = typer.Typer(help="The journal.", no_args_is_help=True)
