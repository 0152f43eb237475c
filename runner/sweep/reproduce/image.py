"""Find the recorded image on this machine, or build it again from its lock file."""

from __future__ import annotations

import subprocess
import sys

from docker.errors import ImageNotFound
from docker.models.images import Image

import docker
from runner.config.paths import DOCKER, ENGINE_SCRIPT
from runner.errors import UserError
from runner.isolation.docker import connect, image_tag
from runner.machine.provenance import lock_sha256
from runner.results.format import short_id
from runner.results.recorded import Recorded


def find_image(recipe: Recorded) -> tuple[str | None, str]:
    """Return the id of the image to run on, or None for pinned processes, and a line that describes the image.

    Raises:
        UserError: if no Docker engine answers, or if the image is gone and the lock file is not the recorded one.
    """
    if "docker" not in recipe.isolation:
        return None, "Image: none. The trials ran as pinned processes, with the libraries of this environment."
    client = connect()
    if client is None:
        raise UserError(
            "The sweep ran in Docker boxes, but no Docker engine answers. Start one (on a bare Debian or Ubuntu, as "
            f"root: {ENGINE_SCRIPT}), or check DOCKER_HOST."
        )
    if recipe.image_id and _find(client, recipe.image_id) is not None:
        return recipe.image_id, f"Image: the recorded one, {short_id(recipe.image_id)}, is here."
    check_lock(recipe, lock_sha256())
    image = _find(client, image_tag()) or _built(client)
    return str(image.id), rebuilt_line(recipe, str(image.id), image.labels.get("org.pinbox.base"))


def check_lock(recipe: Recorded, today: str | None) -> None:
    """Check that the image can be built again here.

    Args:
        recipe: the recorded sweep.
        today: the hash of this tree's lock file.

    Raises:
        UserError: if the recorded lock file differs from this tree's.
    """
    if recipe.lock_sha256 != today:
        raise UserError(
            f"The recorded image {short_id(recipe.image_id)} is not on this machine, and it was built from another "
            f"lock file ({short_id(recipe.lock_sha256)}) than docker/box.lock is now ({short_id(today)}). Take "
            f"the code that made it, {recipe.get_code}, and repeat the command."
        )


def rebuilt_line(recipe: Recorded, image_id: str, base_id: str | None) -> str:
    """Return a line that compares the image built here with the recorded one.

    The ids usually differ, because Docker writes the time of building into an image.
    """
    if image_id == recipe.image_id:
        return f"Image: {short_id(image_id)}, built again and identical."
    base = "base image identical" if base_id == recipe.base_id else "base image not the recorded one"
    return (
        f"Image: the recorded one, {short_id(recipe.image_id)}, is gone; {short_id(image_id)} is built here from the "
        f"same lock file. Lock file identical, {base}; the id differs, since Docker stamps the time of building."
    )


def _find(client: docker.DockerClient, name: str) -> Image | None:
    try:
        return client.images.get(name)
    except ImageNotFound:
        return None


def _built(client: docker.DockerClient) -> Image:
    done = subprocess.run([sys.executable, str(DOCKER / "image.py")])
    image = _find(client, image_tag())
    if done.returncode or image is None:
        raise UserError(
            "The image could not be built again. The lines above give the reason. Repeat the command when it is fixed."
        )
    return image
