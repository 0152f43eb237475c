"""Build the pinned image, once. `make image` does nothing while the image with the right tag is there.

The tag is a hash of the Dockerfile and the lock, so these two files determine which image is used.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import base
import published
from common import CACHE, DOCKER, EPOCH, INSTALLED, SetupError, lock, run_main, say, sha256
from packages import BOX_LOCK, FOR_BOX, install, uv

DOCKERFILE = DOCKER / "Dockerfile"
ENGINE_SCRIPT = DOCKER / "engine.sh" if INSTALLED else "docker/engine.sh"
NO_ENGINE = f"""no Docker engine answers.
  On a bare Debian or Ubuntu, as root: {ENGINE_SCRIPT} installs and starts one.
  Elsewhere: start Docker, or install it as https://docs.docker.com/engine/install says."""


def image_tag() -> str:
    content = DOCKERFILE.read_bytes() + BOX_LOCK.read_bytes()
    return f"pinbox:{hashlib.sha256(content).hexdigest()[:12]}"


def image_id(tag: str) -> str | None:
    done = subprocess.run(["docker", "image", "inspect", "--format", "{{.Id}}", tag], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, timeout=60).returncode == 0


def build(tag: str) -> None:
    with TemporaryDirectory(dir=CACHE) as folder:
        with ThreadPoolExecutor() as pool:  # both wait for a network
            base_image = pool.submit(base.obtain)
            packages = install_packages(Path(folder))
        start = time.monotonic()
        say("image: building, about a minute")
        run_build(tag, *base_image.result(), packages)
    say(f"image: built, {time.monotonic() - start:.0f} s")


def install_packages(folder: Path) -> Path:
    """Install the packages of the lock into a folder.

    The files are those for the box's Python. They do not depend on the folder's place or on the Python of this host.
    """
    environment = folder / "environment"
    uv("venv", "--quiet", "--relocatable", "--python", sys.executable, environment, advice="cannot make an environment")
    install(environment, BOX_LOCK, *FOR_BOX)
    unfit = "the packages of docker/box.lock do not fit together"
    uv("pip", "check", "--python", environment, *FOR_BOX, advice=unfit)
    return environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


def run_build(tag: str, reference: str, base_identity: str, packages: Path) -> None:
    command = ["docker", "build", "--quiet", "--network", "none", "--tag", tag]
    command += ["--build-arg", f"BASE_IMAGE={reference}", "--build-arg", f"BASE_ID={base_identity}"]
    command += ["--build-arg", f"LOCK_SHA256={sha256(BOX_LOCK)}", "-"]
    log = CACHE / "image-build.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        assert process.stdin is not None
        try:
            with process.stdin as stream:
                send_context(stream, packages)
        except BrokenPipeError:
            pass  # docker has given up, and its log says why
        failed = process.wait()
    if failed:
        tail = "\n".join(f"    {line}" for line in log.read_text().splitlines()[-12:])
        raise SetupError(f"docker build failed; the end of {log.relative_to(CACHE.parent)}:\n{tail}")


def send_context(stream: IO[bytes], packages: Path) -> None:
    """Send the build context: the Dockerfile, and the installed packages."""
    with tarfile.open(fileobj=stream, mode="w|", dereference=True) as tar:
        tar.add(DOCKERFILE, "Dockerfile", filter=_reproducible)
        tar.add(packages, "site-packages", filter=_reproducible)


def _reproducible(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop what differs between two machines: owner, time and umask."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = EPOCH
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def provide(tag: str, pull: Callable[[str], bool] | None = None) -> str | None:
    """Return the id of the image. If it is missing, pull it with `pull`, and build it if nothing was pulled."""
    if not engine_answers():
        raise SetupError(NO_ENGINE)
    with lock("image"):
        if image_id(tag) is not None:
            if pull:
                say("image: it is here already, so nothing is pulled")
        elif pull is None or not pull(tag):
            build(tag)
    return image_id(tag)


def begin() -> None:
    """Build the image in another process. A process that needs the image waits for the lock.

    If the build failed, that process builds again, and shows the error.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "image.log").open("w") as log:
        subprocess.Popen([sys.executable, __file__, "--if-engine"], stdout=log, stderr=log)


def main() -> None:
    parser = argparse.ArgumentParser("pinbox image", description="Build the pinned image, unless it is there.")
    parser.add_argument("--if-engine", action="store_true", help="do nothing if no Docker engine answers")
    parser.add_argument("--in-background", action="store_true", help="the same, without waiting for the end")
    parser.add_argument("--pull", action="store_true", help="take the published image; build it only if there is none")
    parser.add_argument("--repository", help="with --pull: take it from this repository")
    parser.add_argument("--signers", type=Path, help="with --pull: the file with the keys of allowed signers")
    arguments = parser.parse_args()
    if (arguments.repository or arguments.signers) and not arguments.pull:
        raise SetupError("--repository and --signers go with --pull")
    published.check_settings(arguments.repository, arguments.signers)
    tag = image_tag()
    if (arguments.if_engine or arguments.in_background) and (not engine_answers() or image_id(tag)):
        return
    if arguments.in_background:
        begin()
        return
    pull = partial(published.pull, repository=arguments.repository, signers=arguments.signers)
    say(f"image: {tag} {provide(tag, pull if arguments.pull else None)}")


if __name__ == "__main__":
    run_main(main)
