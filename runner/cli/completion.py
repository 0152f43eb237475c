"""`pinbox completion bash` (or zsh): a script that completes verbs, files, and by Hydra's own completion overrides.

For each override the shell asks `pinbox completion query WORD…`, which takes about a second.
"""

from __future__ import annotations

import argparse
import sys

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.utils import create_config_search_path

from runner.cli.verbs import VERBS
from runner.config import schema as config
from runner.config.paths import CONF

_OF_HYDRA = ("sweep", "run", "search")  # verbs that take overrides
_BASH = """\
_pinbox() {{
  local line=${{COMP_LINE:0:COMP_POINT}} words word
  read -ra words <<<"$line"
  [[ $line == *' ' ]] && words+=("")
  word=${{words[-1]}}
  if (( ${{#words[@]}} == 2 )); then
    COMPREPLY=($(compgen -W "{verbs}" -- "$word"))
  elif [[ " {of_hydra} " == *" ${{words[1]}} "* ]]; then
    COMPREPLY=($("${{words[0]}}" completion query "${{words[@]:2}}" 2>/dev/null))
    compopt -o nospace
  else
    compopt -o default
    COMPREPLY=()
  fi
}}
COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}
complete -F _pinbox pinbox
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def main() -> int:
    """Print the script, or the completions of a last word; return 0."""
    parser = argparse.ArgumentParser("pinbox completion", description=__doc__)
    parser.add_argument("shell", choices=["bash", "zsh", "query"])
    parser.add_argument("words", nargs=argparse.REMAINDER, help="of query: those typed so far, the last one unfinished")
    asked = parser.parse_args()
    if asked.shell == "query":
        print("\n".join(completions(asked.words)))
        return 0
    script = _BASH.format(verbs=" ".join(VERBS), of_hydra=" ".join(_OF_HYDRA))
    sys.stdout.write((_ZSH if asked.shell == "zsh" else "") + script)
    return 0


def completions(words: list[str]) -> list[str]:
    """Return what the last word may become, as Hydra says for the same overrides.

    Args:
        words: of a command line, without the verb; the last one is the one to complete, empty if it is not begun.
    """
    config.register()
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    overrides = [word for word in words[:-1] if not word.startswith("-")]
    return BashCompletion(loader)._query("config", " ".join([*overrides, words[-1] if words else ""]))
