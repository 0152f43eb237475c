"""Define the parameters that several verbs take, and how the shell completes them."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from runner.config.paths import choices
from runner.errors import UserError, did_you_mean

_SECONDS = {"s": 1, "m": 60, "h": 3600}


class SweepPath(click.Path):
    """The folder of a sweep. The shell completes the sweeps in outputs/ and, if none matches, any other path."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        plans = [*Path("outputs").glob("*/plan.json"), *Path("outputs").glob("try-*/sweep/plan.json")]
        return _beginning_with(incomplete, (str(plan.parent) for plan in plans)) or super().shell_complete(
            ctx, param, incomplete
        )


class ConfigNames(click.ParamType[str]):
    """Names of files in one group of conf/, separated by commas. The shell completes the last. The verb checks all."""

    name = "text"

    def __init__(self, group: str) -> None:
        self._group = group

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, _ = incomplete.rpartition(",")
        return _beginning_with(incomplete, (f"{before}{comma}{name}" for name in choices(self._group)))


class Override(click.ParamType[str]):
    """A Hydra override, such as threads=2. The shell completes its key and its value as Hydra does."""

    name = "override"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        # These imports take about a second, so they are not at the top.
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
    """A verb that takes overrides. Its help ends with the choices of each group of conf/, including the user's own."""

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

model_option = click.option(
    "--model", required=True, type=ConfigNames("model"), metavar="NAME", help="A model of conf/model."
)
task_option = click.option(
    "--task", required=True, type=ConfigNames("task"), metavar="NAME", help="A task of conf/task."
)
overrides_argument = click.argument(
    "overrides",
    nargs=-1,
    type=Override(),
    metavar="[KEY=VALUE]...",
    help="Hydra's overrides, such as isolation=process, each with one value.",
)
sweep_argument = click.argument("sweep", type=SweepPath(), help="The folder of a sweep, such as outputs/demo.")


def _beginning_with(start: str, words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(start)]


def budget_seconds(text: str) -> float:
    """Return a duration such as 90s, 30m or 2h in seconds.

    Raises:
        UserError: if the text is not such a duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match or float(match[1]) == 0:
        raise UserError(f"--budget is '{text}', but must be a time such as 90s, 30m or 2h.")
    return float(match[1]) * _SECONDS[match[2]]


def named(text: str, group: str) -> list[str]:
    """Return the names in a text that separates them by commas.

    Raises:
        UserError: if this group of conf/ has no file with one of the names.
    """
    known, names = choices(group), [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UserError(f"--{group}s: there is no {group} '{name}'. {did_you_mean(name, known)}")
    return names


def program() -> str:
    """Return the command that runs this program."""
    return "pinbox" if shutil.which("pinbox") else str(Path(sys.executable).with_name("pinbox"))
