# Settings of one cluster. Copy this file to slurm/cluster.sh (or name yours with --cluster) and change
# it. submit.sh sources it for the options of sbatch, and every job for the rest.
# shellcheck shell=bash disable=SC2034,SC2154

# What must be loaded before knnseq can start, on the login node and in each job.
environment() {
  module purge
  module load gcc openmpi hdf5
}

program=$top/build/bin/knnseq  # $top: the folder of the project. If it is installed: PREFIX/bin/knnseq

# How the ranks are started: srun, or mpirun of the MPI that knnseq was built with.
launcher=srun
launcher_options=(--mpi=pmix --cpu-bind=none)
# launcher=mpirun
# launcher_options=(--bind-to none)

# After SIGUSR1 the ranks have so long to commit and end; then they are killed, and go on from the last
# commit. Shorter than the warning before the time limit (120 s, --signal in stage.sbatch).
grace_seconds=100
# No launch lasts longer than this, whatever hangs; 0: only the job's time limit counts.
longest_launch_seconds=0

# Options of sbatch for all stages, and for each stage more, which win. What is in stage.sbatch
# itself (--requeue, --signal) can be overridden here too.
sbatch_common=(--account=mt --partition=compute --mem-per-cpu=4G --output=%x-%j.out)
# One task is one rank; with "threads: N" in the config give each task N cpus.
sbatch_partition=(--nodes=1 --ntasks=16 --time=01:00:00)
sbatch_encode=(--nodes=4 --ntasks-per-node=32 --time=12:00:00)
sbatch_train=(--nodes=1 --ntasks=32 --time=06:00:00)
sbatch_add=(--nodes=4 --ntasks-per-node=32 --time=06:00:00)
sbatch_append=(--nodes=2 --ntasks-per-node=32 --time=06:00:00)
sbatch_subset=(--nodes=4 --ntasks-per-node=32 --time=06:00:00)
sbatch_decode=(--nodes=2 --ntasks-per-node=16 --mem-per-cpu=8G --time=04:00:00)
sbatch_evaluate=(--ntasks=1 --time=00:30:00)
sbatch_sweep=(--nodes=1 --ntasks=16 --time=06:00:00)
sbatch_tune=(--nodes=2 --ntasks-per-node=16 --mem-per-cpu=8G --time=04:00:00)
sbatch_verify=(--nodes=2 --ntasks-per-node=8 --time=02:00:00)
sbatch_export=(--ntasks=1 --mem=64G --time=02:00:00)
