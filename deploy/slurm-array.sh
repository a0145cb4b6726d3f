#!/usr/bin/env bash
# An evaluation over a Slurm array, a shard a task, and the merge when all have ended.
#
#   IMAGENET_EVAL_CACHE=/shared/weights cargo xtask weights fetch      # once, where there is a network
#   sbatch --array=1-8 deploy/slurm-array.sh /shared/imagenet/val /shared/weights /shared/runs/xception
#
# The folder of weights is the cache, which knows PaddleClas's files, that have no published checksum, from when they were fetched.
#
# A task that is preempted or killed is requeued and goes on, image by image, where it stopped. The first
# task prints the command that submits the merge as a dependent job.
#SBATCH --job-name=imagenet-eval
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --requeue
set -euo pipefail

data=${1:?the validation images} weights=${2:?the cache with the published weights} out=${3:?the folder for the runs}
index=${SLURM_ARRAY_TASK_ID:?submit with --array=1-N} count=${SLURM_ARRAY_TASK_COUNT:?submit with --array=1-N}

# Built once on the login node (cargo build --release -p xtask): tasks must not build side by side.
program=${IMAGENET_EVAL:-target/release/xtask}

if [[ $index == 1 ]]; then
  echo "then: sbatch --dependency=afterok:$SLURM_ARRAY_JOB_ID --wrap '$program merge $out/shard-* --out $out/merged'"
fi
# Accuracies are judged in the merged run only; a shard is a part.
export IMAGENET_EVAL_CACHE=$weights
exec "$program" eval --all --data "$data" --offline \
  --shard "$index/$count" --out "$out/shard-$index" --threads "${SLURM_CPUS_PER_TASK:-8}"
