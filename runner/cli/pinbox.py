"""The command `pinbox`: its verbs, in the order in which people usually need them, and its exit codes.

At their top, the modules of the verbs import only what is quick to import, so that help and completion are quick, too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from runner.cli.bundle import bundle
from runner.cli.capacity import capacity
from runner.cli.charts import charts
from runner.cli.collect import collect
from runner.cli.diff import diff
from runner.cli.doctor.command import doctor
from runner.cli.export import export
from runner.cli.image import image
from runner.cli.import_results import import_results
from runner.cli.init.command import init
from runner.cli.load_test import load_test
from runner.cli.recommend import recommend
from runner.cli.report import report
from runner.cli.reproduce import reproduce
from runner.cli.run import run
from runner.cli.search import search
from runner.cli.sweep import sweep
from runner.cli.try_model import try_model
from runner.cli.watch import watch
from runner.errors import UserError, printable

_HELP = ["-h", "--help"]
VERBS = (
    *(try_model, init, sweep, run, search, capacity, watch, collect, report, charts, diff, recommend, export),
    *(load_test, bundle, import_results, reproduce, doctor, image),
)
for _verb in VERBS:  # so that a verb knows them without the group, too, as completion needs it
    _verb.context_settings.setdefault("help_option_names", _HELP)
INTERRUPTED = 130  # the exit code of a shell after Ctrl-C


class _Verbs(click.Group):
    """The verbs in the order of `VERBS`. By default, click would sort them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if "=" in args[0] and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No verb is given. To measure one job: pinbox run {' '.join(args)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": _HELP},
    subcommand_metavar="VERB …",
    epilog="`pinbox VERB --help` says more. All output goes to ./outputs. For completion in the shell: "
    'eval "$(_PINBOX_COMPLETE=bash_source pinbox)", or zsh_source, or fish_source.',
)
@click.version_option(package_name="pinbox", message="pinbox %(version)s")
@click.pass_context
def pinbox(context: click.Context) -> None:
    """Find the compressed variant of a transformer that you should deploy on a CPU."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _verb in VERBS:
    pinbox.add_command(_verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line. Print an error message if the user made a mistake.

    Args:
        arguments: the arguments without the program's name, or None to take them from `sys.argv`.

    Returns:
        The exit code: the result of the verb, 2 after a user's mistake, or 130 after Ctrl-C.
    """
    try:
        return int(pinbox.main(arguments, prog_name="pinbox", standalone_mode=False) or 0)
    except click.Abort:
        return INTERRUPTED
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "pinbox"
        message = f"{error.format_message()}\nSee `{asked} --help`."
    except click.ClickException as error:
        message = error.format_message()
    except UserError as error:
        message = str(error)
    print(f"pinbox: {printable(message)}", file=sys.stderr)
    return 2
