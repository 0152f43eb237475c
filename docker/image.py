"""Build the pinned image, once: `make image` does nothing while the image with the right tag is there.

The tag is made of the Dockerfile and the lock: whoever has those two files knows which image is theirs.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import base
from wheelhouse import BOX_LOCK, fetch, wheels_of
from workshop import CACHE, DOCKER, INSTALLED, SetupError, one_at_a_time, run_main, say, sha256

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
    # Two waits for a network, so side by side.
    with ThreadPoolExecutor() as pool:
        base_image = pool.submit(base.obtain)
        pool.submit(fetch).result()
        reference, identity = base_image.result()
    wheels = wheels_of(BOX_LOCK)
    start = time.monotonic()
    say("image: building, about two minutes")
    client, environment = build_client()
    command = [client, "build", "--quiet", "--network", "none", "--tag", tag]
    command += ["--build-arg", f"BASE_IMAGE={reference}", "--build-arg", f"BASE_ID={identity}"]
    command += ["--build-arg", f"LOCK_SHA256={sha256(BOX_LOCK)}", "-"]
    log = CACHE / "image-build.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        assert process.stdin is not None
        try:
            with process.stdin as stream:
                send_context(stream, wheels)
        except BrokenPipeError:
            pass  # docker gave up on us: its log says why
        failed = process.wait()
    if failed:
        tail = "\n".join(f"    {line}" for line in log.read_text().splitlines()[-12:])
        raise SetupError(f"docker build failed; the end of {log.relative_to(CACHE.parent)}:\n{tail}")
    # The stage that installed the wheels has done its work, and is larger than the image.
    subprocess.run(
        ["docker", "image", "prune", "--force", "--filter", "label=org.pinbox.stage=build"],
        capture_output=True,
    )
    say(f"image: built, {time.monotonic() - start:.0f} s")


def build_client() -> tuple[str, dict[str, str]]:
    """A docker client, with BuildKit if any on PATH has it: it spares a slow copy of the whole environment.

    A client since 23.0 needs the buildx plugin for that; an older one brings BuildKit along.
    """
    for folder in os.get_exec_path():
        client = str(Path(folder) / "docker")
        if not os.access(client, os.X_OK):
            continue
        version = subprocess.run([client, "--version"], capture_output=True, text=True).stdout
        major = re.search(r"version (\d+)\.", version)
        buildx = subprocess.run([client, "buildx", "version"], capture_output=True).returncode == 0
        if buildx or (major and int(major[1]) < 23):
            return client, os.environ | {"DOCKER_BUILDKIT": "1"}
    return "docker", os.environ | {"DOCKER_BUILDKIT": "0"}


def send_context(stream: IO[bytes], wheels: list[Path]) -> None:
    """Send the build context: the Dockerfile, the lock, and the wheels that the lock names."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(DOCKERFILE, "Dockerfile")
        tar.add(BOX_LOCK, "box.lock")
        for wheel in wheels:
            tar.add(wheel, f"wheels/{wheel.name}")


def main() -> None:
    parser = argparse.ArgumentParser("pinbox image", description="Build the pinned image, unless it is there.")
    parser.add_argument("--if-engine", action="store_true", help="do nothing, quietly, where no Docker engine answers")
    quiet = parser.parse_args().if_engine
    tag = image_tag()
    identity = image_id(tag) if shutil.which("docker") else None
    if identity is None:
        if not engine_answers():
            if quiet:
                return
            raise SetupError(NO_ENGINE)
        with one_at_a_time("image"):
            if image_id(tag) is None:
                build(tag)
        identity = image_id(tag)
    elif quiet:
        return
    say(f"image: {tag} {identity}")


if __name__ == "__main__":
    run_main(main)
