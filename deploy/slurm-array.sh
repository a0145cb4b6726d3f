#!/usr/bin/env bash
# An evaluation over a Slurm array, a shard a task, and the merge of the shards as a job that follows.
#
#   cargo build --release -p xtask                              # once: tasks must not build side by side
#   IMAGENET_EVAL_CACHE=/shared/weights cargo xtask weights fetch     # once, where there is a network
#
#   job=$(sbatch --parsable --array=1-8 deploy/slurm-array.sh /shared/imagenet/val /shared/weights /shared/runs/all)
#   sbatch --dependency=afterany:$job --cpus-per-task=1 --time=2:00:00 \
#     deploy/slurm-array.sh merge /shared/runs/all --data /shared/imagenet/val
#
# usage: slurm-array.sh DATA WEIGHTS OUT [OPTION OF EVAL ...]
#        slurm-array.sh merge OUT [OPTION OF MERGE ...]
#
# DATA     what `eval --data` takes.
# WEIGHTS  the cache of the published weights (a folder with first-seen.json), else what `eval --weights` takes: a
#          folder of your own files, a file, ID=FILE, pretrained (the cache is IMAGENET_EVAL_CACHE then), seeded.
# OUT      a folder that all tasks reach: shard-1 to shard-N, the number N in `shards`, and merged.
# Options  of eval, such as --model 'timm/*' or --catalog mine.toml. Left out, --all is meant; --offline, --wait and
#          --threads are given.
#
# N, the number of shards, is SHARDS (SHARDS=8 sbatch ...), else the N of --array=1-N. It is kept in OUT/shards, so that
# the same command with --array=2 does shard 2 of N again: it goes on where that stopped, or with --fresh starts over.
#
# A task that is preempted, whose program is killed (kill -9, out of memory), whose node fails or whose time is over is
# requeued and goes on, image by image, where it stopped; its log goes on, too. One whose command, file or data is
# wrong (exit code 2) is not requeued. What kills the task's shell ends the task: give its number to --array again.
# A task that has evaluated its shard succeeds, whatever the figures: exit code 1 of eval (a figure is not reproduced) is
# the merge's to give, which judges the whole. The merge starts when all tasks have ended, however they did, and names
# the shards that are missing, if there are any.
#SBATCH --job-name=imagenet-eval
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
set -euo pipefail

wrong() {
  echo "slurm-array.sh: $1" >&2
  exit 2
}
usage='sbatch --array=1-N slurm-array.sh DATA WEIGHTS OUT [OPTION OF EVAL ...], or sbatch slurm-array.sh merge OUT [OPTION OF MERGE ...]'

# The program: IMAGENET_EVAL, else the one that was built in the checkout of the script that was submitted, else the one that is installed. This
# is a copy of it, in a folder of Slurm's; Slurm knows where the original is.
find_program() {
  local script tried=()
  script=$(scontrol show job "${SLURM_JOB_ID:-}" 2>/dev/null | sed -n 's/^ *Command=//p' | head -n 1) || true
  case $script in
    */deploy/slurm-array.sh*) tried+=("${script%%/deploy/slurm-array.sh*}/target/release/xtask") ;;
  esac
  [ -z "${CARGO_TARGET_DIR:-}" ] || tried+=("$CARGO_TARGET_DIR/release/xtask")
  tried+=("${SLURM_SUBMIT_DIR:-.}/target/release/xtask")
  tried+=("$(command -v imagenet-eval || echo imagenet-eval)")
  # A name without a folder is looked for as commands are.
  [ -z "${IMAGENET_EVAL:-}" ] || tried=("$(command -v "$IMAGENET_EVAL" || echo "$IMAGENET_EVAL")")
  for program in "${tried[@]}"; do
    if [ -f "$program" ] && [ -x "$program" ]; then return; fi
  done
  wrong "the program is not there (looked for ${tried[*]}). Build it once, cargo build --release -p xtask, or name it: IMAGENET_EVAL=/path/to/xtask sbatch ..."
}

# Whether an option is among the arguments that follow it.
given() {
  local option=$1 argument
  shift
  for argument; do
    case $argument in "$option" | "$option="*) return 0 ;; esac
  done
  return 1
}

# Refuses what is no number of shards, before it is calculated with. $2 says where it is from.
check_count() {
  case $1 in '' | 0* | *[!0-9]* | ???????*) wrong "$2 says $1: a number from 1 to 999999 is needed" ;; esac
}

# ---- merge

if [ "${1:-}" = merge ]; then
  [ $# -ge 2 ] || wrong "$usage"
  out=$2
  shift 2
  find_program
  [ -s "$out/shards" ] || wrong "$out/shards is not there: no task has begun an evaluation in $out. The tasks' logs (slurm-JOB_TASK.out) say why"
  count=$(cat "$out/shards")
  check_count "$count" "$out/shards"
  shards=() missing=()
  for ((index = 1; index <= count; index++)); do
    if [ -f "$out/shard-$index/run.json" ]; then shards+=("$out/shard-$index"); else missing+=("$index"); fi
  done
  if [ ${#missing[@]} -gt 0 ]; then
    list=$(IFS=,; echo "${missing[*]}")
    wrong "nothing is merged: of $count shards, $list have not been evaluated. Their logs (slurm-JOB_TASK.out) say why. Submit the same command with --array=$list, and then the merge again"
  fi
  exec "$program" merge "${shards[@]}" --out "$out/merged" "$@"
fi

# ---- a shard

[ $# -ge 3 ] && [ -n "${SLURM_ARRAY_TASK_ID:-}" ] || wrong "$usage"
data=$1 weights=$2 out=$3 index=$SLURM_ARRAY_TASK_ID
shift 3
find_program
mkdir -p "$out"

# What was said first holds: tasks of another division would be no parts of the same whole.
count=${SHARDS:-}
if [ ! -s "$out/shards" ]; then
  if [ -z "$count" ]; then
    # A single task, or some, may be a part of any number.
    if [ "${SLURM_ARRAY_TASK_MIN:-}" != 1 ] || [ "${SLURM_ARRAY_TASK_MAX:-1}" = 1 ] ||
      [ "${SLURM_ARRAY_TASK_COUNT:-}" != "${SLURM_ARRAY_TASK_MAX:-}" ]; then
      wrong "into how many shards? Tasks ${SLURM_ARRAY_TASK_MIN:-?} to ${SLURM_ARRAY_TASK_MAX:-?} do not say. Submit --array=1-N, or say it: SHARDS=N sbatch ..."
    fi
    count=$SLURM_ARRAY_TASK_MAX
  fi
  check_count "$count" SHARDS
  # Whole or not at all, and the first of several tasks wins.
  echo "$count" >"$out/.shards.${SLURM_JOB_ID:-$$}"
  ln "$out/.shards.${SLURM_JOB_ID:-$$}" "$out/shards" 2>/dev/null ||
    [ -s "$out/shards" ] || mv "$out/.shards.${SLURM_JOB_ID:-$$}" "$out/shards"
  rm -f "$out/.shards.${SLURM_JOB_ID:-$$}"
fi
kept=$(cat "$out/shards")
check_count "$kept" "$out/shards"
[ "${count:-$kept}" = "$kept" ] || wrong "$out is divided into $kept shards ($out/shards), not into $count. Choose another folder"
count=$kept
if [ "$index" -lt 1 ] || [ "$index" -gt "$count" ]; then
  wrong "there is no shard $index of $count: they are counted from 1, and $out/shards says how many there are. Submit with --array=1-$count, or choose another folder"
fi
run=$out/shard-$index

options=(eval --data "$data" --shard "$index/$count" --out "$run")
if [ -d "$weights" ]; then
  # A folder of your own has no first-seen.json; what is published is told by hashes then.
  export IMAGENET_EVAL_CACHE=$weights
  [ -e "$weights/first-seen.json" ] && options+=(--weights pretrained) || options+=(--weights "$weights")
else
  options+=(--weights "$weights")
fi
given --all "$@" || given --model "$@" || given --onnx "$@" || given --card "$@" || options+=(--all)
given --offline "$@" || options+=(--offline)
# A requeued task may stand beside its first process, which a lost node still computes.
given --wait "$@" || options+=(--wait)
given --threads "$@" || options+=(--threads "${SLURM_CPUS_PER_TASK:-8}")
for argument; do
  # To start over is meant once, not each time that a task is requeued.
  if [ "$argument" = --fresh ] && [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then continue; fi
  options+=("$argument")
done

# Images that are done, over all models.
rows() { cat "$run"/predictions/*.csv 2>/dev/null | wc -l || true; }
before=$(rows)

ending='' signalled=''
# TERM asks eval to stop; it keeps what it has. A second one would stop it at once.
trap 'signalled=yes; ending=${ending:-time}; kill -TERM "$child" 2>/dev/null || true' USR1
trap 'signalled=yes; [ -n "$ending" ] || kill -TERM "$child" 2>/dev/null || true; ending=${ending:-ended}' TERM
echo "shard $index of $count, start $((${SLURM_RESTART_COUNT:-0} + 1)), on $(uname -n): $program ${options[*]}"
"$program" "${options[@]}" &
child=$!
code=0
wait "$child" || code=$?
while [ -n "$signalled" ]; do
  # It was the signal that ended the waiting, perhaps not the program.
  signalled='' again=0
  wait "$child" || again=$?
  [ "$again" = 127 ] || code=$again
done

case $code in
  0) exit 0 ;;
  1)
    echo "shard $index of $count is evaluated; that a figure is not reproduced is judged by the merge"
    exit 0
    ;;
esac
case $ending,$code in
  time,130 | time,143) why='its time is over' ;;
  # scancel, or preemption, after which Slurm requeues by itself; or a person who has stopped the program.
  ended,* | *,130 | *,143) exit "$code" ;;
  *) why="the program was killed (exit code $code)" ;;
esac
# Below lies what is wrong with the command, a file or the data, and stays so.
[ "$code" -gt 128 ] || exit "$code"
restarts=${SLURM_RESTART_COUNT:-0}
if [ "$restarts" -ge 5 ] && [ "$(rows)" -le "$before" ]; then
  echo "shard $index of $count: $why, at start $((restarts + 1)) and without another image; it is not requeued. Are --mem and --time enough?"
  exit "$code"
fi
echo "shard $index of $count: $why; it is requeued and goes on where it stopped"
# Slurm gives one task the number of the whole array, so the task is named. Slurm then ends this script.
scontrol requeue "${SLURM_ARRAY_JOB_ID}_$index" ||
  echo "shard $index of $count: Slurm does not requeue it; submit the same command with --array=$index"
exit "$code"
