"""Put the user's own conf/ before Pinbox's, so that Hydra finds its models, tasks, techniques and grids by name."""

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.plugins.search_path_plugin import SearchPathPlugin

from runner.config.paths import CONF, own_conf


class OwnConf(SearchPathPlugin):
    """Add the user's own conf/ to Hydra's search path. Other programs that use Hydra are not affected."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folder to the search path. Hydra calls this method."""
        folder = own_conf()
        is_pinbox = any(element.path.removeprefix("file://") == str(CONF) for element in search_path.get_path())
        if folder and is_pinbox:
            search_path.prepend("own", f"file://{folder}", SearchPathQuery(provider="main"))
