"""python -m tests.guest: run the tests of boxes, and a sweep, on control groups v2 in an emulated machine. As root.

It needs the packages that `tests/guest/machine.py` names, a Docker engine, and the image of `make image`. It takes
about half an hour for each driver.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.isolation.docker import DockerBox, connect
from tests.guest.machine import Guest

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Return 1 if something failed in the guest."""
    parser = argparse.ArgumentParser("python -m tests.guest")
    parser.add_argument("--driver", choices=("cgroupfs", "systemd"), default="cgroupfs", help="of the guest's engine")
    parser.add_argument("--folder", type=Path, default=_ROOT / ".cache/guest", help="for the kernel and the disk")
    parser.add_argument("--script", type=Path, default=Path(__file__).with_name("inside.sh"), help="what to run there")
    asked = parser.parse_args()
    client = connect()
    if client is None:
        raise SystemExit("No Docker engine answers: the guest's image is taken from it.")
    (image, *_) = client.images.get(str(DockerBox(client).image_id)).tags
    guest = Guest(asked.folder)
    guest.load_image(image)
    return guest.run(asked.script, asked.driver, {"REPOSITORY": str(_ROOT)})


if __name__ == "__main__":
    sys.exit(main())
