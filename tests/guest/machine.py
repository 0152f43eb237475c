"""A virtual machine with control groups v2, for a machine that has booted v1: Debian's kernel in QEMU, emulated.

The guest sees this machine's own files (9p, read-only, below an overlay on a disk of its own), so everything that is
installed here is there, and nothing that the guest writes comes back except what it prints. Emulated Python is 20 to 30
times slower: nothing about time can be learned.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("qemu-system-x86", "busybox-static", "cpio", "kmod", "e2fsprogs")
_MODULES = ("virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "overlay", "ext4")
_DISK_BYTES = 24 << 30  # sparse
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module 2>/dev/null; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host || poweroff -f
mount -t ext4 /dev/vda /disk || poweroff -f
rm -rf /disk/up /disk/work; mkdir -p /disk/up /disk/work
mount -t overlay -o lowerdir=/host,upperdir=/disk/up,workdir=/disk/work overlay /new || poweroff -f
for folder in dev proc sys; do mount --move /$folder /new/$folder; done
mkdir -p /new/guest; mount --move /disk /new/guest; rm -f /new/.dockerenv  # or systemd takes it for a container
for word in $(cat /new/proc/cmdline); do
  case $word in guest_unit=*) cp /new/${word#*=} /new/etc/systemd/system/ ;; guest_init=*) init=${word#*=} ;; esac
done
exec switch_root /new $(echo $init | tr , ' ')
"""
_UNIT = """[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash {script}
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
"""


class Guest:
    """A virtual machine whose kernel, first file system and disk lie in a folder, and are made when they are missing.

    Args:
        folder: the folder; its content can be used again.
        memory_mib: the memory of the guest in MiB.
    """

    def __init__(self, folder: Path, memory_mib: int = 7168) -> None:
        self._folder, self._memory_mib = folder.absolute(), memory_mib
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / "initrd.gz").exists():
            self._build()
        if not (self._folder / "disk.img").exists():
            with (self._folder / "disk.img").open("wb") as disk:
                disk.truncate(_DISK_BYTES)
            _run("mkfs.ext4", "-q", "-F", str(self._folder / "disk.img"))

    def load_image(self, image: str) -> None:
        """Load an image of this machine's engine, by its tag, into the guest's.

        A second engine does it from outside, on the guest's disk and without a network. Inside it would take most of an
        hour.
        """
        marker = self._folder / f"loaded-{image.replace(':', '-')}"
        if marker.exists():
            return
        disk = self._folder / "mounted"
        disk.mkdir(exist_ok=True)
        _run("mount", "-o", "loop", str(self._folder / "disk.img"), str(disk))
        try:
            with _engine(disk / "docker", self._folder) as socket:
                save = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
                subprocess.run(["docker", "-H", socket, "load", "-q"], stdin=save.stdout, check=True)
                if save.wait():
                    raise RuntimeError(f"docker save {image} failed")
        finally:
            _run("umount", str(disk))
        marker.touch()

    def run(self, script: Path, driver: str, arguments: dict[str, str]) -> int:
        """Run a script as root in the guest, print what it prints, and return its exit code; 1 if the guest died.

        Args:
            script: a bash script of this machine.
            driver: cgroupfs, or systemd: then systemd is the guest's first process, as the driver needs it.
            arguments: environment variables of the script.
        """
        first = self._folder / "first.sh"
        exports = "".join(f"export {name}='{value}'\n" for name, value in ({"PATH": _PATH} | arguments).items())
        mounts = "" if driver == "systemd" else "mount -t tmpfs tmpfs /run; mount -t cgroup2 none /sys/fs/cgroup\n"
        mounts += "mkdir -p /dev/pts /dev/shm; mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts\n"
        mounts += "mountpoint -q /dev/shm || mount -t tmpfs shm /dev/shm; ip link set lo up\n"
        first.write_text(
            f"#!/bin/bash\n{exports}export HOME=/root DRIVER={driver}\n{mounts}bash {script.absolute()}\n"
            'echo "guest: exit $?"; sync; echo o >/proc/sysrq-trigger; sleep 30\n'
        )
        if driver != "systemd":
            return self._boot(f"guest_init=/bin/bash,{first}")
        unit = self._folder / "pinbox-guest.service"
        unit.write_text(_UNIT.format(script=first))
        slow = "systemd.mask=systemd-tmpfiles-setup.service"  # it would go through all of this machine's /tmp
        return self._boot(f"guest_init=/lib/systemd/systemd guest_unit={unit} systemd.unit={unit.name} {slow}")

    def _boot(self, options: str) -> int:
        command = [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
            *("-m", str(self._memory_mib), "-nographic", "-no-reboot"),
            *("-kernel", str(self._folder / "vmlinuz"), "-initrd", str(self._folder / "initrd.gz")),
            "-append",
            f"console=ttyS0 panic=-1 quiet nokaslr mitigations=off {options}",
            *("-drive", f"file={self._folder / 'disk.img'},if=virtio,format=raw,cache=unsafe"),
            *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        ]
        code = 1
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as machine:
            assert machine.stdout is not None
            for line in machine.stdout:
                print(line, end="", flush=True)
                if line.startswith("guest: exit "):
                    code = int(line.split()[-1])
        return code

    def _build(self) -> None:
        """Unpack Debian's kernel, and make a first file system with the modules that reach this machine's files."""
        missing = [name for name in ("qemu-system-x86_64", "busybox", "cpio", "depmod") if not shutil.which(name)]
        if missing:
            raise SystemExit(f"Missing: {', '.join(missing)}. Run apt-get install {' '.join(PACKAGES)}")
        listed = _run("apt-cache", "depends", "linux-image-amd64").split()
        package = next(word for word in listed if word.startswith("linux-image-") and word[12].isdigit())
        subprocess.run(["apt-get", "download", "-q", package], cwd=self._folder, check=True)
        (archive,) = self._folder.glob("linux-image-*.deb")
        kernel, root = self._folder / "kernel", self._folder / "root"
        _run("dpkg-deb", "-x", str(archive), str(kernel))
        archive.unlink()
        (modules,) = (kernel / "lib/modules").iterdir()
        next((kernel / "boot").glob("vmlinuz-*")).rename(self._folder / "vmlinuz")
        _run("depmod", "-b", str(kernel), modules.name)
        for name in ("bin", "modules", "proc", "sys", "dev", "host", "disk", "new"):
            (root / name).mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        order: dict[str, None] = {}
        for module in _MODULES:
            shown = _run("modprobe", "-d", str(kernel), "-S", modules.name, "--show-depends", module)
            for line in shown.splitlines():
                if line.startswith("insmod "):
                    file = Path(line.split()[1])
                    shutil.copy(file, root / "modules" / file.name)
                    order[file.name] = None
        (root / "modules/order").write_text("\n".join(order))
        (root / "init").write_text(_INIT)
        (root / "init").chmod(0o755)
        files = "\n".join(str(path.relative_to(root)) for path in root.rglob("*"))
        packed = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=files.encode(), capture_output=True, check=True
        )
        (self._folder / "initrd.gz").write_bytes(gzip.compress(packed.stdout))


@contextmanager
def _engine(data: Path, folder: Path) -> Iterator[str]:
    """Start an engine in a network namespace of its own, and yield its address."""
    socket = f"unix://{folder / 'engine.sock'}"
    command = ["unshare", "-n", "dockerd", "--data-root", str(data), "--exec-root", str(folder / "engine-run")]
    command += ["--pidfile", str(folder / "engine.pid"), "-H", socket, "--bridge=none", "--iptables=false"]
    with (folder / "engine.log").open("wb") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(60):
            if subprocess.run(["docker", "-H", socket, "info"], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(1)
        yield socket
    finally:
        engine.terminate()
        engine.wait()
        os.sync()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
