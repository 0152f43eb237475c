# What runs in the guest: an engine, the tests of boxes and control groups, the faults of memory, and a small sweep.
# REPOSITORY and DRIVER are set by tests/guest/machine.py.
set -o pipefail
cd "$REPOSITORY" || exit 1
echo "guest: $(uname -r), control groups: $(stat -fc %T /sys/fs/cgroup), driver $DRIVER"
dockerd --data-root /guest/docker --exec-root /run/docker --bridge=none --iptables=false \
  --exec-opt "native.cgroupdriver=$DRIVER" >/guest/dockerd.log 2>&1 &
for _ in $(seq 300); do docker info >/dev/null 2>&1 && break; sleep 2; done
docker info 2>/dev/null | grep -i 'cgroup' || { tail -n 20 /guest/dockerd.log; exit 1; }
export PINBOX_REQUIRE_DOCKER=1
failed=0
step() {
  echo "guest: $1"
  shift
  "$@" 2>&1 </dev/null | cat || { echo "guest: failed: $*"; failed=1; }
}
step "tests of boxes" .venv/bin/python -m pytest -v -p no:cacheprovider tests/isolation/test_boxes.py -k "not process"
step "a sweep" .venv/bin/python -m runner -m grid=smoke isolation=docker isolation.timeout_seconds=3600 \
  prepare_timeout_seconds=36000 control_texts=0 hydra.sweep.dir=/guest/smoke
step "what the sweep's boxes read" .venv/bin/python -c '
import json
from pathlib import Path
for path in sorted(Path("/guest/smoke/trials").glob("*/trial.json")):
    trial = json.loads(path.read_text())
    names = ("status", "box_cgroup_version", "box_memory_limit_bytes", "box_peak_bytes", "box_cpus", "error")
    print(path.parent.name, {name: trial.get(name) for name in names}, flush=True)
'
exit $failed
