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
# same but for the queue. With more tasks, as by `sbatch --ntasks=8 --gpus-per-node=8`, they train one model together:
# srun starts them, without torchrun, and hands on their exit status.
out=$1
shift
launch=()
if [ -n "${SLURM_JOB_ID:-}" ]; then
    launch=(srun)
    if [ "${SLURM_NTASKS:-1}" -gt 1 ]; then # what torch asks of whoever starts several processes
        export WORLD_SIZE=$SLURM_NTASKS MASTER_PORT=$((10000 + SLURM_JOB_ID % 50000))
        MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
        export MASTER_ADDR
        launch+=(bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID exec "$@"' task)
    fi
fi

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
