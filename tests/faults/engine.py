"""A Docker engine of our own: faults may stop, kill and fill it, and nobody else's containers run on it.

It has its own containerd, its own disk (an ext4 image of fixed size, so that it can be filled up), and a network
namespace of its own: a second engine in the first one's would take its bridge away. Boxes have no network anyway.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from runner.isolation.docker import connect, image_tag

_DISK_BYTES = 5 << 30
_SECONDS = 60
_LOOK_SECONDS = 0.05
_PROGRAMS = ("dockerd", "containerd", "docker", "unshare", "mkfs.ext4", "mount")
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def why_not() -> str | None:
    """Return why no engine of our own can be had here; None if it can."""
    if os.getuid() != 0:
        return "they need root"
    if missing := [name for name in _PROGRAMS if not shutil.which(name, path=_PATH)]:
        return f"{', '.join(missing)}: not installed"
    client = connect()
    if client is None:
        return "no Docker engine answers, from which to take the image"
    if not client.images.list(image_tag()):
        return f"the image {image_tag()} is not there: run 'make image'"
    return None


class OwnEngine:
    """See the module.

    Args:
        place: an empty folder, with a short name: sockets lie in it.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self.data = place / "data"
        self.host = f"unix://{place}/docker.sock"

    def start(self) -> None:
        """Start what does not run, and wait until it answers."""
        for name in ("docker.pid", "run/containerd.pid"):
            (self._place / name).unlink(missing_ok=True)  # of those that were killed
        if self._containerd is None:
            self._containerd = self._run("containerd", "--config", str(self._place / "containerd.toml"))
            _until((self._place / "containerd.sock").exists, "containerd")
        self._dockerd = self._run(
            *("unshare", "--net", "dockerd", "--host", self.host, "--data-root", str(self.data / "docker")),
            *("--exec-root", str(self._place / "run"), "--pidfile", str(self._place / "docker.pid")),
            *("--containerd", str(self._place / "containerd.sock"), "--bridge", "none", "--iptables=false"),
            *("--ip-forward=false", "--ip-masq=false"),
        )
        _until(self.answers, "dockerd")

    def answers(self) -> bool:
        """Return whether it runs and says so."""
        return not self.docker("version", check=False).returncode

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the engine, as `systemctl stop docker` does, or as its own crash (SIGKILL); containerd stays."""
        if self._dockerd is not None:
            self._dockerd.send_signal(number)  # `unshare` became dockerd
            self._dockerd.wait(_SECONDS)
            self._dockerd = None

    def power_off(self) -> None:
        """Kill everything at once: the engine, containerd, and all that runs in containers."""
        self.stop(signal.SIGKILL)
        self._kill_containers()
        self._end_containerd(signal.SIGKILL)

    def _kill_containers(self) -> None:
        """Kill the shims that hold this engine's containers, and all that runs below them."""
        waiting, found = [pid for pid in _pids() if self._is_shim(pid)], []
        while waiting:
            found.append(pid := waiting.pop())
            with suppress(OSError):  # it has just ended
                for task in Path(f"/proc/{pid}/task").iterdir():
                    waiting += map(int, (task / "children").read_text().split())
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _is_shim(self, pid: int) -> bool:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            return False
        return "containerd-shim" in command and str(self._place) in command

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of Docker's own client on it."""
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True)

    def load_image(self) -> None:
        """Copy the image from the machine's engine."""
        with subprocess.Popen(["docker", "save", image_tag()], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", self.host, "load", "--quiet"],
                stdin=saved.stdout,
                check=True,
                stdout=subprocess.DEVNULL,
            )

    @contextmanager
    def without_image(self) -> Iterator[None]:
        """Remove the image, and bring it back in the end, with the same id.

        Its layers stay, as those of a second image that differs only in a label; so an archive without any layers is
        enough to bring it back.
        """
        image = self.docker("inspect", "-f", "{{.Id}}", image_tag()).stdout.strip().removeprefix("sha256:")
        written = (self.data / "docker/image/overlay2/imagedb/content/sha256" / image).read_bytes()
        other = json.loads(written)
        other["config"]["Labels"]["org.pinbox.keeps-layers"] = "1"
        self._load_config(json.dumps(other).encode(), "pinbox-layers:1")
        _until(lambda: not self.docker("rmi", "--force", image, check=False).returncode, "dockerd, asked for an image,")
        try:
            yield
        finally:
            self._load_config(written, image_tag())

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no room on its disk for a while, nor what boxes give back when they are removed."""
        over = threading.Event()
        with (self.data / "ballast").open("wb") as ballast:

            def fill() -> None:
                while not over.wait(_LOOK_SECONDS):
                    _fill(ballast.fileno())

            _fill(ballast.fileno())
            filling = threading.Thread(target=fill)
            filling.start()
            try:
                yield
            finally:
                over.set()
                filling.join()
                (self.data / "ballast").unlink()

    def _load_config(self, config: bytes, tag: str) -> None:
        """Load an image whose layers are there already."""
        name, layers = f"{hashlib.sha256(config).hexdigest()}.json", len(json.loads(config)["rootfs"]["diff_ids"])
        manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{number}/layer.tar" for number in range(layers)]}]
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for member, content in ((name, config), ("manifest.json", json.dumps(manifest).encode())):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self.client().images.load(archive.getvalue())

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(self.host)

    def set_up(self) -> None:
        """Make the disk, start, and load the image."""
        image = self._place / "disk.ext4"
        with image.open("wb") as file:
            file.truncate(_DISK_BYTES)
        self.data.mkdir()
        self._command("mkfs.ext4", "-q", str(image))
        self._command("mount", "-o", "loop", str(image), str(self.data))
        (self._place / "containerd.toml").write_text(
            f'version = 2\nroot = "{self.data}/containerd"\nstate = "{self._place}/containerd"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self._place}/containerd.sock"\n'
        )
        self.start()
        self.load_image()

    def tear_down(self) -> None:
        """End all, and give the disk back."""
        if self._dockerd is not None:
            for box in self.docker("ps", "-aq", check=False).stdout.split():
                self.docker("rm", "-f", box, check=False)
            self.stop()
        self._kill_containers()
        self._end_containerd(signal.SIGTERM)
        if self.data.is_mount():
            self._command("umount", "--lazy", str(self.data))

    def _end_containerd(self, number: signal.Signals) -> None:
        if self._containerd is not None:
            self._containerd.send_signal(number)
            self._containerd.wait(_SECONDS)
            self._containerd = None
            (self._place / "containerd.sock").unlink(missing_ok=True)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._place / "log.txt").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PATH": _PATH},
            )

    def _command(self, *command: str) -> None:
        subprocess.run(command, check=True, env=os.environ | {"PATH": _PATH})


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """Have an engine for a while; see `why_not`."""
    with tempfile.TemporaryDirectory(prefix="pinbox-", dir="/var/tmp", ignore_cleanup_errors=True) as place:
        engine = OwnEngine(Path(place))
        try:
            engine.set_up()
            yield engine
        finally:
            engine.tear_down()


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _fill(file: int) -> None:
    """Make a file as large as its disk has room for."""
    for size in (1 << 30, 64 << 20, 1 << 20, 4096):
        with suppress(OSError):  # no room for another one of this size
            while True:
                os.posix_fallocate(file, os.fstat(file).st_size, size)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"our own {what} does not answer")
        time.sleep(0.1)
