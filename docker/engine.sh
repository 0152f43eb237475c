#!/usr/bin/env bash
# Install and start a Docker engine on a bare Debian or Ubuntu, as root. Do nothing if an engine already answers.
# Users run this script themselves if they need it. Of Pinbox's own scripts, only .ci/run calls it.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
LOG=${PINBOX_ENGINE_LOG:-/var/log/pinbox-dockerd.log}

fail() { echo "error: $1" >&2; exit 2; }
answers() { docker version >/dev/null 2>&1; }

# Print the process ids of a running program. A zombie process does not count.
live() {
  local status
  for status in /proc/[0-9]*/status; do
    awk -v name="$1" '/^Name:/ { n = $2 } /^State:/ { s = $2 } /^Pid:/ { p = $2 } END { if (n == name && s != "Z") print p }' \
      "$status" 2>/dev/null || true
  done
}

wait_until_ready() { # seconds
  local left
  for ((left = $1 * 5; left > 0; left--)); do
    answers && return
    sleep 0.2
  done
  return 1
}

if command -v docker >/dev/null && answers; then
  echo "  engine: answers already (server $(docker version --format '{{.Server.Version}}'))"
  exit
fi
[ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is set to $DOCKER_HOST, and nothing answers there: unset it, or start that engine"
[ "$(id -u)" = 0 ] || fail "installing and starting an engine needs root: try \`sudo docker/engine.sh\`"

if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
  command -v apt-get >/dev/null ||
    fail "this is not Debian or Ubuntu (no apt-get): install Docker as its documentation says, then run this again"
  echo "  engine: installing docker.io (apt-get)"
  export DEBIAN_FRONTEND=noninteractive
  packages=(docker.io iptables)
  apt-get update -qq
  # In Debian 13, the command line is in a separate package.
  apt-cache show docker-cli >/dev/null 2>&1 && packages+=(docker-cli)
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

if [ -d /run/systemd/system ]; then
  systemctl start docker || fail "systemd could not start Docker: see \`journalctl -u docker\`"
  wait_until_ready 60 || fail "systemd started Docker, but it does not answer after 60 s: see \`journalctl -u docker\`"
elif running=$(live dockerd) && [ -n "$running" ]; then
  # Do not start a second engine: it would break the network of the first one.
  wait_until_ready 30 || fail "dockerd runs (process ${running//$'\n'/ }) but does not answer: end it, then run this again"
else
  # A killed engine leaves these behind, and the next one then refuses to start.
  for program in dockerd:/var/run/docker.pid containerd:/var/run/docker/containerd/containerd.pid; do
    file=${program#*:}
    if [ -f "$file" ] && ! live "${program%%:*}" | grep -qx "$(cat "$file")"; then
      rm -f "$file"
    fi
  done
  setsid dockerd >"$LOG" 2>&1 </dev/null &
  wait_until_ready 60 || fail "dockerd does not answer after 60 s; the end of $LOG:
$(tail -n 12 "$LOG")"
fi
echo "  engine: started (server $(docker version --format '{{.Server.Version}}'))"
