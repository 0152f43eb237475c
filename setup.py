"""What pyproject.toml cannot say: conf/ and docker/ go into the wheel below `pinbox/`, from where they are."""

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Takes of the folder `pinbox` only what is named below."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Return the modules of a package as (package, module, file)."""
        return [] if package == "pinbox" else super().find_package_modules(package, package_dir)


setup(
    cmdclass={"build_py": BuildPy},
    packages=[*find_namespace_packages(include=["runner*", "hydra_plugins*"], exclude=["*.__pycache__"]), "pinbox"],
    package_dir={"pinbox": "."},
    # Of docker/ what `pinbox image` needs, and the script that starts an engine; see runner/config/paths.py.
    package_data={
        "pinbox": [
            "conf/**/*.yaml",
            *(f"docker/{name}" for name in ("Dockerfile", "box.lock", "uv.lock", "engine.sh")),
            *(f"docker/{name}.py" for name in ("base", "common", "image", "packages", "published")),
            *("docker/published.json*", "docker/allowed_signers"),  # where the image is published, if it is
        ],
        "runner.diff": ["templates/*"],
        "runner.cli.init": ["example/**/*", "code_example/**/*"],
        "runner.report.images": ["export.js"],
        "runner.report": ["templates/*"],
    },
)
