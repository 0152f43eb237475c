#!/usr/bin/env bash
# A real Slurm with accounting and two nodes, n1 and n2, on this one machine: for tests of LAUNCHER=slurm.
#   tests/sweep/cluster/slurm.sh install      Debian's packages (as root)
#   tests/sweep/cluster/slurm.sh up FOLDER    start everything below FOLDER; then `export SLURM_CONF=FOLDER/slurm.conf`
#   tests/sweep/cluster/slurm.sh down FOLDER  end it; what is in FOLDER stays
# NODE_CPUS="0 1": the CPUs of n1 and of n2, so that their boxes do not meet.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
PORT=${SLURM_PORT:-16817} # and the next four

fail() { echo "error: $1" >&2; exit 2; }

until_true() { # seconds, command…
  local left=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((left -= 1)) -gt 0 ] || fail "waited in vain for: $*"
    sleep 0.1
  done
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Their maintainers' scripts would start services where there is systemd; ours are our own.
  apt-get install -y -qq --no-install-recommends slurm-wlm slurmdbd munge mariadb-server >/dev/null
}

start_munge() {
  install -d -o munge -g munge -m 755 /run/munge
  munge -n >/dev/null 2>&1 && return
  setpriv --reuid munge --regid munge --clear-groups munged
  until_true 5 munge -n
  cp /run/munge/munged.pid "$1/run/munged.pid" # ours to end
}

start_database() { # as root, for whom a test's temporary folder is
  mariadb-install-db --no-defaults --user=root --datadir="$1/db" --skip-test-db --auth-root-authentication-method=normal >/dev/null 2>&1
  mariadbd --no-defaults --user=root --datadir="$1/db" --socket="$1/run/db.sock" --pid-file="$1/run/mariadbd.pid" \
    --skip-networking --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 >"$1/log/mariadb.log" 2>&1 &
  until_true 30 mariadb --no-defaults --user=root --socket="$1/run/db.sock" --execute="create database if not exists slurm_accounting"
}

configure() {
  local host
  host=$(hostname -s)
  cat >"$1/slurmdbd.conf" <<CONF
AuthType=auth/munge
DbdHost=localhost
DbdPort=$((PORT + 4))
SlurmUser=root
LogFile=$1/log/slurmdbd.log
PidFile=$1/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageLoc=slurm_accounting
StorageUser=root
StorageHost=localhost
CONF
  chmod 600 "$1/slurmdbd.conf"
  cat >"$1/slurm.conf" <<CONF
ClusterName=pinbox
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool/%n
SlurmctldPidFile=$1/run/slurmctld.pid
SlurmdPidFile=$1/run/slurmd-%n.pid
SlurmctldLogFile=$1/log/slurmctld.log
SlurmdLogFile=$1/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$((PORT + 4))
AccountingStorageUser=root
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=30
InactiveLimit=0
KillWait=5
MinJobAge=300
SwitchType=switch/none
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((PORT + 2))-$((PORT + 3))] CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

up() {
  [ "$(id -u)" = 0 ] || fail "Slurm's daemons need root"
  mkdir -p "$1"/{state,spool,log,run,db}
  start_munge "$1"
  start_database "$1"
  configure "$1"
  export SLURM_CONF=$1/slurm.conf
  MYSQL_UNIX_PORT=$1/run/db.sock slurmdbd
  until_true 30 bash -c "exec 3<>/dev/tcp/127.0.0.1/$((PORT + 4))"
  slurmctld -f "$SLURM_CONF" -c
  local cpus node=0
  read -ra cpus <<<"${NODE_CPUS:-0 1}"
  for node in 1 2; do
    taskset --cpu-list "${cpus[node - 1]}" slurmd -f "$SLURM_CONF" -N "n$node"
  done
  until_true 30 bash -c '[ "$(sinfo --noheader --states=idle --format=%D)" = 2 ]'
  until_true 30 bash -c '[ "$(sacctmgr --noheader list cluster format=cluster | tr -d " ")" = pinbox ]'
}

down() {
  local name pid
  for name in slurmd-n1 slurmd-n2 slurmctld slurmdbd mariadbd munged; do
    [ -f "$1/run/$name.pid" ] || continue
    pid=$(cat "$1/run/$name.pid")
    kill "$pid" 2>/dev/null || continue
    until_true 20 has_ended "$pid"
  done
}

has_ended() { # a defunct process, which nobody has reaped, is as dead as any
  ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

case "${1:-}" in
  install) install_packages ;;
  up) up "$(realpath -m "${2:?which folder}")" ;;
  down) down "$(realpath -m "${2:?which folder}")" ;;
  *) fail "usage: $0 install | up FOLDER | down FOLDER" ;;
esac
