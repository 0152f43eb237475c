"""Run boxes as Docker containers, made from an image id, with every limit set."""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import Mount, Ulimit

import docker
from runner.config.paths import CODE, DOCKER, MAKE
from runner.errors import MachineError
from runner.isolation.box import Box, BoxEnd, BoxOrder, environment, stoppable, write_request
from runner.isolation.owner import is_running, owner_labels
from runner.machine.topology import core_gone, memory_nodes

_NOBODY = 65534
MANAGED = "org.pinbox.managed"
_PERIOD_MICROSECONDS = 100_000  # the period of CPU quotas in Kubernetes and in docker run --cpus
_MAKING_SECONDS, _POLL_SECONDS = 2.0, 0.05  # the engine makes a container in less than a second


def connect() -> docker.DockerClient | None:
    """Return a client of the engine at DOCKER_HOST or at the default socket, or None if no engine answers."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (DockerException, requests.RequestException):
        return None
    return client


def engine_name(client: docker.DockerClient) -> str:
    """Return the engine's name: Docker, or Podman, which has the same interface."""
    parts = client.version().get("Components") or []
    return "Podman" if any("Podman" in str(part.get("Name")) for part in parts) else "Docker"


def engine_gone() -> MachineError:
    """Return the error to raise when the engine has stopped."""
    return MachineError(
        "The Docker engine does not answer any more. What was measured is kept. Start the engine again. Then the same "
        "command goes on from here."
    )


def engine_restarted() -> MachineError:
    """Return the error to raise when the engine was restarted and its boxes are gone."""
    return MachineError(
        "The Docker engine was restarted, and its boxes are gone. What was measured is kept. The same command goes on "
        "from here."
    )


def image_tag() -> str:
    """Return the tag that `make image` gives the image made from this Dockerfile and this lock file."""
    inputs = (DOCKER / "Dockerfile").read_bytes() + (DOCKER / "box.lock").read_bytes()
    return f"pinbox:{hashlib.sha256(inputs).hexdigest()[:12]}"


def has_image(client: docker.DockerClient) -> bool:
    """Return whether the engine has the pinned image."""
    try:
        client.images.get(image_tag())
    except ImageNotFound:
        return False
    return True


class DockerBox(Box):
    """A kind of box that runs containers of one image.

    Args:
        client: a client of an engine that answers.
        image: the id of an image, or None for the image that `make image` built.

    Raises:
        MachineError: if the image is missing, because it is never pulled, or if the engine runs without root.
    """

    kind = "docker"
    image_id: str

    def __init__(self, client: docker.DockerClient, image: str | None = None) -> None:
        self._client = client
        if _is_rootless(client):
            raise MachineError(
                "The container engine runs without root: it maps users and cannot give a box its own cores. Use an "
                "engine that runs as root (set DOCKER_HOST), or isolation=process."
            )
        try:
            stored = client.images.get(image or image_tag())
        except ImageNotFound:
            raise MachineError(
                f"The image {image or image_tag()} is not on this machine. Run '{MAKE} image' to build it."
            ) from None
        self.image_id = str(stored.id)
        self.base_id = stored.labels.get("org.pinbox.base")

    def memory_limit(self, memory_bytes: int) -> int | None:
        """Return the limit, which the engine enforces."""
        return memory_bytes

    def run(self, order: BoxOrder) -> BoxEnd:
        """Create and start a container, wait until it ends, and read its log. The container is removed in any case.

        Raises:
            MachineError: if the engine, the image, the engine's disk or a core is lost while the box runs.
        """
        try:
            return self._run(order)
        except ImageNotFound:
            raise MachineError(
                f"The image {self.image_id} is gone. Run '{MAKE} image', then the command again."
            ) from None
        except NotFound:
            return BoxEnd(137, False, False, "the container was removed from outside")
        except (DockerException, requests.RequestException) as error:
            raise _machine_error(error, order) or error from None

    def _run(self, order: BoxOrder) -> BoxEnd:
        name = f"pinbox-{uuid.uuid4().hex}"  # known before the container exists, so that no signal leaves one behind
        try:
            return self._run_named(order, name)
        except Exception:
            raise
        except BaseException:
            _wait_until_made(self._client, name)
            raise
        finally:
            _remove(self._client, name)

    def _run_named(self, order: BoxOrder, name: str) -> BoxEnd:
        paths = {key: f"/in/{key}" for key in order.inputs} | {"output": "/out"}
        write_request(order, paths)
        user = _give_to_box_user(order.output)
        try:
            container = self._create(order, user, name)
        except NotFound:
            raise  # the image is missing
        except APIError as error:
            return _refused(error, order, "make")
        try:
            container.start()
        except APIError as error:
            return _refused(error, order, "start")
        with stoppable(partial(_kill, container)):
            timed_out = not _wait(container, order.timeout_seconds)
        if timed_out:
            _kill(container)
            container.wait(timeout=60)
        container.reload()
        state = container.attrs["State"]
        log = container.logs().decode(errors="replace")
        return BoxEnd(int(state["ExitCode"]), bool(state["OOMKilled"]), timed_out, log)

    def _create(self, order: BoxOrder, user: str, name: str) -> Container:
        mounts = [Mount(f"/in/{n}", str(p.absolute()), "bind", read_only=True) for n, p in order.inputs.items()]
        mounts.append(Mount("/pinbox/runner", str(CODE), "bind", read_only=True))
        if order.plugin:
            mounts.append(Mount("/plugin", str(order.plugin.absolute()), "bind", read_only=True))
        mounts.append(Mount("/out", str(order.output.absolute()), "bind"))
        python_path = "/pinbox:/plugin" if order.plugin else "/pinbox"
        limits: dict[str, Any] = {}
        if order.memory_bytes is not None:  # without memswap_limit, as much swap would be allowed in addition
            limits |= {"mem_limit": order.memory_bytes, "memswap_limit": order.memory_bytes}
        if order.quota_cpus is not None:
            quota = round(order.quota_cpus * _PERIOD_MICROSECONDS)
            limits |= {"cpu_period": _PERIOD_MICROSECONDS, "cpu_quota": quota}
        return self._client.containers.create(
            self.image_id,
            ["python", "-m", order.module, "/out/request.json"],
            name=name,
            cpuset_cpus=",".join(map(str, order.cpus)),
            cpuset_mems=",".join(map(str, memory_nodes(order.cpus))),
            pids_limit=order.pids,
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": "size=256m,mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            user=user,
            init=True,
            ipc_mode="private",
            ulimits=[Ulimit(name="core", soft=0, hard=0)],
            environment=environment(len(order.cpus)) | {"PYTHONPATH": python_path, "HOME": "/tmp"},
            working_dir="/out",
            mounts=mounts,
            labels={MANAGED: "1"} | owner_labels(),
            **limits,
        )


def remove_orphans(client: docker.DockerClient) -> int:
    """Remove the containers whose Pinbox process on this machine has died, and return their number."""
    removed = 0
    for container in client.containers.list(all=True, filters={"label": f"{MANAGED}=1"}, ignore_removed=True):
        if not is_running(container.labels):
            _remove(client, str(container.id))
            removed += 1
    return removed


def _is_rootless(client: docker.DockerClient) -> bool:
    return any("name=rootless" in option for option in client.info().get("SecurityOptions") or [])


def _give_to_box_user(folder: Path) -> str:
    """Return the user of the box, and let that user own the output folder.

    It is the user of this process. If that is root, it is nobody.
    """
    if os.getuid() != 0:
        return f"{os.getuid()}:{os.getgid()}"
    os.chown(folder, _NOBODY, _NOBODY)
    return f"{_NOBODY}:{_NOBODY}"


def _wait(container: Container, seconds: float) -> bool:
    """Wait until the container ends, and return whether it ended in time."""
    try:
        container.wait(timeout=seconds)
    except (requests.ConnectionError, requests.Timeout) as error:
        if not _is_timeout(error):
            raise
        return False
    return True


def _is_timeout(error: Exception) -> bool:
    """Return whether the engine took too long to answer. The SDK raises one of two exceptions in that case."""
    return "timed out" in str(error).lower()


def _kill(container: Container) -> None:
    try:
        container.kill()
    except (APIError, NotFound):
        pass  # it has just ended


def _remove(client: docker.DockerClient, name: str) -> None:
    """Remove a container, if the engine has it."""
    try:
        client.api.remove_container(name, force=True, v=True)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != requests.codes.conflict:  # a conflict means that someone else is removing it
            raise


def _wait_until_made(client: docker.DockerClient, name: str) -> None:
    """Wait until the engine has a container, or until it is clear that it was not asked to make one.

    A signal may have interrupted the wait for the engine's answer, while the engine goes on making the container.
    """
    deadline = time.monotonic() + _MAKING_SECONDS
    while time.monotonic() < deadline:
        try:
            client.api.inspect_container(name)
        except NotFound:
            time.sleep(_POLL_SECONDS)
        except (DockerException, requests.RequestException):
            return  # the engine has gone, which is not the reason for stopping
        else:
            return


def _refused(error: APIError, order: BoxOrder, verb: str) -> BoxEnd:
    """Return the end of a box that the engine refused to make or to start; `verb` names the refused action.

    Raises:
        MachineError: if the order is not at fault.
    """
    if machine_error := _machine_error(error, order):
        raise machine_error from None
    return BoxEnd(125, False, False, f"the engine could not {verb} the box: {error.explanation}")


def _machine_error(error: Exception, order: BoxOrder) -> MachineError | None:
    """Return the error to raise if the engine, its disk or a core is at fault, or None for any other error."""
    if connect() is None:
        return engine_gone()
    if not isinstance(error, APIError):
        return None if _is_timeout(error) else engine_restarted()
    explanation = str(error.explanation)
    if "Requested CPUs" in explanation or "cpuset.cpus" in explanation:
        return core_gone(order.cpus)
    if os.strerror(errno.ENOSPC).lower() in explanation.lower():
        return MachineError(
            f"The Docker engine has no room on its disk ({explanation}). What was measured is kept. Free some "
            "space. Then the same command goes on from here."
        )
    return None
