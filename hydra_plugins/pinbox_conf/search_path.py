"""The user's own conf/ goes before Pinbox's: a model, task, technique or grid in it is found by its name."""

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.plugins.search_path_plugin import SearchPathPlugin

from runner.config.paths import CONF, own_conf


class OwnConf(SearchPathPlugin):
    """See the module. Other programs that use Hydra in the same environment are left alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra."""
        folder = own_conf()
        ours = any(element.path.removeprefix("file://") == str(CONF) for element in search_path.get_path())
        if folder and ours:
            search_path.prepend("own", f"file://{folder}", SearchPathQuery(provider="main"))
