"""What several verbs take, and how the shell completes it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from runner.config.paths import choices


class SweepPath(click.Path):
    """The folder of a sweep. The shell completes those in outputs/, and any other folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        sweeps = (str(plan.parent) for plan in Path("outputs").glob("*/plan.json"))
        return _beginning_with(incomplete, sweeps) or super().shell_complete(ctx, param, incomplete)


class ConfigNames(click.ParamType[str]):
    """Names of files in one group of conf/, separated by commas. The verb checks them; the shell completes the last."""

    name = "text"

    def __init__(self, group: str) -> None:
        self._group = group

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, _ = incomplete.rpartition(",")
        return _beginning_with(incomplete, (f"{before}{comma}{name}" for name in choices(self._group)))


class Override(click.ParamType[str]):
    """An override of Hydra's, such as threads=2. The shell completes its key and its value as Hydra does."""

    name = "override"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        # Takes about a second, so nothing else imports it.
        from hydra._internal.config_loader_impl import ConfigLoaderImpl
        from hydra._internal.core_plugins.bash_completion import BashCompletion
        from hydra._internal.utils import create_config_search_path

        from runner.config import schema
        from runner.config.paths import CONF

        schema.register()
        loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
        line = " ".join([*ctx.params[str(param.name)], incomplete])
        return [CompletionItem(text) for text in BashCompletion(loader)._query("config", line)]


class OverridesCommand(click.Command):
    """A verb that takes overrides: its help ends with the choices of each group of conf/, the user's own included."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from runner.config.messages import GROUPS

        super().format_epilog(ctx, formatter)
        for group in GROUPS:
            formatter.write(f"\n{group}:\n  {', '.join(choices(group))}\n")


class _Bash(BashComplete):
    """Click's completion for bash, in which `grid=smoke` is one word, and no space follows the `=` of a key."""

    source_template = "COMP_WORDBREAKS=${COMP_WORDBREAKS//=}\n" + BashComplete.source_template.replace(
        "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace"
    )


add_completion_class(_Bash)

sweep_argument = click.argument("sweep", type=SweepPath(), help="The folder of a sweep, such as outputs/demo.")


def _beginning_with(start: str, words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(start)]
