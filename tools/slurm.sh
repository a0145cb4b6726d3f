#!/usr/bin/env bash
# Sets up a Slurm of one node in a temporary folder and shows on it what deploy/slurm-array.sh says: array and merge,
# one task done again, a folder of weights, kill -9, the time limit, a task that fails, figures that are not reproduced,
# an orphan, a cancelled task. Takes some minutes on two cores. Nothing is left behind; KEEP=1 keeps the folder.
#
#   tools/slurm.sh [STEP ...]        default: all steps, in their order (see the end of this file)
#
# needs: Debian's slurm-wlm and munge (apt-get install slurm-wlm munge), or slurmctld, slurmd and munged from elsewhere; no
# systemd, no cgroups, no accounting. XTASK names another program than target/release/xtask, SEEDED_WEIGHTS a built
# example `seeded_weights`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
export PATH="$PATH:/usr/sbin:/sbin"
for program in slurmctld slurmd munged sbatch; do
  command -v "$program" >/dev/null || { echo "$program is not there (Debian: apt-get install slurm-wlm munge)" >&2; exit 2; }
done
xtask=$(realpath -m "${XTASK:-target/release/xtask}")
[ -x "$xtask" ] || cargo build --release --package xtask

# ---- Slurm

work=$(mktemp -d)
chmod 755 "$work"
daemons=()
take_down() {
  if [ -e "$work/slurm.conf" ]; then timeout 10 scancel --user="$(id -un)" 2>/dev/null || true; fi
  sleep 1
  for ((index = ${#daemons[@]} - 1; index >= 0; index--)); do
    kill "${daemons[index]}" 2>/dev/null || true
    wait "${daemons[index]}" 2>/dev/null || true
  done
  if [ "${KEEP:-}" = 1 ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap take_down EXIT

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 20000))
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
  done
}

set_slurm_up() {
  local node
  node=$(uname -n)
  node=${node%%.*}
  mkdir -m 700 "$work/munge" "$work/state" "$work/spool"
  head -c 128 /dev/urandom >"$work/munge/key"
  chmod 400 "$work/munge/key"
  cat >"$work/slurm.conf" <<CONF
ClusterName=demonstration
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits as long as its credential may live: two minutes by default.
AuthInfo=socket=$work/munge/socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
# Nothing of control groups, accounting or MPI.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# Some more processors than there are, so that nothing waits for its turn.
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,defer
KillWait=10
MinJobAge=86400
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF=$work/slurm.conf
  munged --foreground --force --socket="$work/munge/socket" --key-file="$work/munge/key" \
    --log-file="$work/munge/log" --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" >"$work/munged.out" 2>&1 &
  daemons+=($!)
  until [ -S "$work/munge/socket" ]; do sleep 0.2; done
  slurmctld -D -f "$SLURM_CONF" >"$work/slurmctld.out" 2>&1 &
  daemons+=($!)
  slurmd -D -f "$SLURM_CONF" -N "$node" >"$work/slurmd.out" 2>&1 &
  daemons+=($!)
  local tries
  for tries in $(seq 60); do
    [ "$(timeout 5 sinfo -h -o %t 2>/dev/null)" = idle ] && return
    sleep 0.5
  done
  echo "Slurm does not come up after $tries tries:" >&2
  tail -n 5 "$work"/*.out "$work"/slurm*.log >&2
  exit 2
}

# ---- what every step does

failed() {
  echo "FAILED: $1" >&2
  for log in "$work"/elsewhere/slurm-*; do echo "--- $log" >&2; tail -n 12 "$log" >&2; done
  exit 1
}
shows() { echo "   $1"; }
# Submits the script from a folder that is not the checkout, with one processor a task.
submit() { (cd "$work/elsewhere" && IMAGENET_EVAL=$xtask sbatch --parsable --cpus-per-task=1 --mem=0 "$@"); }
script=$repository/deploy/slurm-array.sh
task() {
  local array=$1 out=$2
  shift 2
  submit --array="$array" "$script" "$data" seeded "$out" --model timm/xception --batch 1 "$@"
}
merge_after() {
  local job=$1 out=$2
  shift 2
  submit --dependency="afterany:$job" "$script" merge "$out" "$@"
}
# Waits until a job, with all its tasks, has left the queue.
ended() {
  local left
  for left in $(seq 1200); do
    [ -n "$(squeue -h -j "$1" 2>/dev/null)" ] || return 0
    sleep 0.5
  done
  squeue >&2
  failed "job $1 does not end (after $left tries)"
}
# A field of a job, or of a task of it: JobState, ExitCode, Restarts.
of() { scontrol -o show job "$1" | grep -E "^JobId=.*${3:+ArrayTaskId=$3 }" | head -n 1 | grep -oE "(^| )$2=[^ ]*" | cut -d= -f2; }
is() { [ "$(of "$1" "$2" "${4:-}")" = "$3" ] || failed "job $1${4:+, task $4}: $2 is $(of "$1" "$2" "${4:-}"), not $3"; }
log() { cat "$work/elsewhere/slurm-$1.out"; }
says() { grep -qF -- "$2" "$work/elsewhere/slurm-$1.out" || failed "the log of $1 does not say: $2"; }
# results.csv without its two columns of times.
untimed() { awk -F, -v OFS=, '{ $(NF-2) = ""; $(NF-1) = ""; print }' "$1/results.csv"; }
same() { diff <(untimed "$work/whole") <(untimed "$1") || failed "$1 differs from the run in one piece"; }
rows() { tail -qn +2 "$1"/predictions/*.csv 2>/dev/null | cut -d, -f1 | sort | uniq | wc -l; }
has_rows() {
  local left
  for left in $(seq 600); do
    [ "$(rows "$1")" -lt "$2" ] || return 0
    sleep 0.1
  done
  failed "$1 has no $2 rows (after $left tries)"
}
# Whether SIGTERM, the fifteenth signal, waits for a process that stands still, or the process is gone.
asked_to_end() {
  local pending
  pending=$(sed -n 's/^ShdPnd:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) || return 0
  [ $((0x${pending:-4000} & 0x4000)) -ne 0 ]
}
# The process that writes to a run directory, as its lock says.
writer() { sed -n 's/^process \([0-9]*\).*/\1/p' "$1/.lock"; }

images() {
  local count=$1 folder=$2 number=0 file
  mkdir -p "$folder"
  while [ "$number" -lt "$count" ]; do
    for file in datasets/sample/*.JPEG; do
      number=$((number + 1))
      [ "$number" -gt "$count" ] || cp "$file" "$folder/$(printf 'ILSVRC2012_val_%08d.JPEG' "$number")"
    done
  done
}

# ---- the steps

array() {
  local out=$work/array job merge
  job=$(task 1-2 "$out" --threads 1)
  merge=$(merge_after "$job" "$out" --data "$data")
  ended "$merge"
  is "$job" JobState COMPLETED 1
  is "$job" JobState COMPLETED 2
  is "$merge" ExitCode 0:0
  same "$out/merged"
  grep -q 'src="data:image/jpeg' "$out/merged/report.html" || failed "the merged report has no thumbnails"
  shows "two tasks and their merge, submitted from another folder: results.csv is that of one run, with thumbnails"
  grep -q '"--threads"' "$out/shard-1/run.json" || failed "--threads is not passed on"
  shows "passed on to eval: $(grep -oE '(--model|--batch|--threads) [^ ]+' <<<"$(log "${job}_1" | head -n 1)" | tr '\n' ' ')"
}

again() {
  local out=$work/array job merge
  [ -d "$out" ] || array
  rm -rf "$out/shard-2"
  job=$(task 2 "$out")
  merge=$(merge_after "$job" "$out")
  ended "$merge"
  is "$job" JobState COMPLETED 2
  says "${job}_2" "shard 2 of 2"
  same "$out/merged"
  shows "--array=2 alone is shard 2 of 2 again: $(grep -oE -- '--shard [^ ]+' <<<"$(log "${job}_2")")"
}

weights() {
  local out=$work/own job merge
  [ -d "$work/array" ] || array
  mkdir "$work/own files"
  if [ -n "${SEEDED_WEIGHTS:-}" ]; then
    "$SEEDED_WEIGHTS" timm/xception "$work/own files/timm-xception.safetensors"
  else
    cargo run --quiet --release -p models --example seeded_weights -- timm/xception "$work/own files/timm-xception.safetensors"
  fi
  job=$(submit --array=1-2 "$script" "$data" "$work/own files" "$out" --model timm/xception)
  merge=$(merge_after "$job" "$out")
  ended "$merge"
  is "$merge" ExitCode 0:0
  grep -q ',sha256:' "$out/merged/results.csv" || failed "the weights are not a file's"
  diff <(cut -d, -f1-7 "$work/array/merged/predictions/timm-xception.csv") \
    <(cut -d, -f1-7 "$out/merged/predictions/timm-xception.csv") || failed "the same weights predict otherwise"
  shows "a folder of own weights: $(grep -oE 'sha256:[0-9a-f]+' "$out/merged/results.csv")"
}

killed() {
  local out=$work/killed job merge
  job=$(task 1-2 "$out")
  merge=$(merge_after "$job" "$out")
  has_rows "$out/shard-1" 2
  kill -KILL "$(writer "$out/shard-1")"
  ended "$merge"
  is "$job" Restarts 1 1
  is "$job" JobState COMPLETED 1
  is "$merge" ExitCode 0:0
  says "${job}_1" "start 1"
  says "${job}_1" "the program was killed (exit code 137); it is requeued"
  says "${job}_1" "start 2"
  says "${job}_1" "Going on after"
  same "$out/merged"
  shows "kill -9: requeued, its log goes on ($(log "${job}_1" | grep 'Going on')), and the merge waited for it"
}

limit() {
  local out=$work/limit job process
  job=$(SHARDS=1 submit --array=1 --time=1 --signal=B:USR1@40 "$script" "$data" seeded "$out" --model timm/xception --batch 1 --threads 1)
  has_rows "$out/shard-1" 1
  # However fast it computes, it is not done when its time is over: it stands still until it is asked to end.
  process=$(writer "$out/shard-1")
  kill -STOP "$process"
  until asked_to_end "$process"; do sleep 0.2; done
  kill -CONT "$process"
  until [ "$(of "$job" Restarts)" -ge 1 ] || [ -z "$(squeue -h -j "$job")" ]; do sleep 1; done
  [ "$(of "$job" Restarts)" -ge 1 ] || failed "it was not requeued"
  scontrol update job="$job" timelimit=30
  ended "$job"
  is "$job" JobState COMPLETED
  says "${job}_1" "its time is over; it is requeued"
  says "${job}_1" "Going on after"
  [ "$(rows "$out/shard-1")" = 24 ] || failed "$(rows "$out/shard-1") of 24 images are there once"
  shows "the time limit: $(log "${job}_1" | grep -c 'it is requeued') times requeued ($(log "${job}_1" | grep 'Going on' | tail -n 1)), all 24 images there once"
}

wrong() {
  local out=$work/wrong job merge
  mkdir -p "$out"
  touch "$out/shard-2" # A file where a folder is to be.
  job=$(task 1-2 "$out")
  merge=$(merge_after "$job" "$out")
  ended "$merge"
  is "$job" JobState COMPLETED 1
  is "$job" ExitCode 2:0 2
  is "$job" Restarts 0 2
  is "$merge" ExitCode 2:0
  says "$merge" "of 2 shards, 2 have not been evaluated"
  shows "a task that fails is not requeued, and the merge does not wait for ever: $(log "$merge")"
}

contradicted() {
  local out=$work/contradicted job merge
  cat >"$work/mine.toml" <<'TOML'
[[models]]
id = "mine/x"
network = "timm-xception"
recipe = "timm-333-bicubic"
input_size = 299
[models.documented]
flops_g = { figure = "7.000", rule = "thop-flops", input_size = 224 }
TOML
  job=$(submit --array=1-2 "$script" "$data" seeded "$out" --model mine/x --catalog "$work/mine.toml")
  merge=$(merge_after "$job" "$out" --catalog "$work/mine.toml")
  ended "$merge"
  is "$job" JobState COMPLETED 1
  is "$job" JobState COMPLETED 2
  is "$merge" ExitCode 1:0
  shows "FLOPs that are not reproduced end no task: $(log "${job}_1" | tail -n 1). The merge ends with 1"
}

orphan() {
  local out=$work/orphan job process
  mkdir -p "$out"
  "$xtask" eval --data "$data" --weights seeded --model timm/xception --batch 1 --threads 1 --offline --shard 1/2 \
    --out "$out/shard-1" >"$work/orphan.log" 2>&1 &
  process=$!
  has_rows "$out/shard-1" 1
  kill -STOP "$process"
  job=$(SHARDS=2 task 1 "$out")
  until grep -qs "Waiting for another evaluation" "$work/elsewhere/slurm-${job}_1.out"; do sleep 0.2; done
  kill -CONT "$process"
  ended "$job"
  wait "$process"
  is "$job" JobState COMPLETED 1
  [ "$(rows "$out/shard-1")" = 12 ] || failed "an image is lost"
  shows "beside an orphan: $(log "${job}_1" | grep Waiting)"
}

cancelled() {
  local out=$work/cancelled job
  job=$(SHARDS=2 task 1 "$out")
  has_rows "$out/shard-1" 1
  scancel "$job"
  ended "$job"
  is "$job" JobState CANCELLED
  is "$job" Restarts 0
  shows "a cancelled task is not requeued"
}

set_slurm_up
mkdir "$work/elsewhere"
data="$work/images"
images 24 "$data"
"$xtask" eval --data "$data" --weights seeded --model timm/xception --batch 1 --threads 1 --offline --out "$work/whole" >/dev/null 2>&1
echo "Slurm $(sinfo --version | cut -d' ' -f2) is up"
[ $# -gt 0 ] || set -- array again weights killed limit wrong contradicted orphan cancelled
for step; do
  echo "$step"
  "$step"
done
echo "all of it is as deploy/slurm-array.sh says"
