// SIGUSR1: finish what is in hand, commit it, and end with exit code 75.
#pragma once

namespace knnseq::runtime {

/// Makes SIGUSR1 (Slurm's warning before a time limit; mpirun forwards it) set a flag.
void install_stop_signal();
/// Whether the signal has come. Stages ask between two units of work.
bool stop_requested();

}  // namespace knnseq::runtime
