#!/bin/bash
#SBATCH --job-name=ebmkit
#SBATCH --time=04:00:00
#SBATCH --ntasks=1
#SBATCH --signal=USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
# Trains until it is done, in as many jobs as that takes:
#   sbatch docs/slurm.sh runs/garments --recipe clel-fashion
# Three minutes before the time is over, Slurm sends SIGUSR1. The run ends its step, saves a checkpoint and exits with
# status 75; the job is then put back into the queue, and goes on where it was. Outside of Slurm, this script does the
# same but for the queue.
out=$1
shift
launch=()
[ -n "${SLURM_JOB_ID:-}" ] && launch=(srun --ntasks=1)

"${launch[@]}" ${EBMKIT:-ebmkit} run "$@" --out "$out" --resume-if-present &
run=$!
trap 'kill -USR1 $run' USR1 TERM
wait $run
status=$?
while kill -0 $run 2>/dev/null; do # a signal ends the wait before the run has ended
    wait $run
    status=$?
done
[ $status -gt 128 ] && { wait $run; status=$?; }

if [ $status -eq 75 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit $status
