// SIGUSR1 asks a stage to commit what is done and to end (Slurm: --signal=USR1@SECONDS).
#pragma once

namespace knnseq::runtime {

/// Keeps SIGUSR1 pending instead of letting it interrupt the process. Called first in main, before
/// there are other threads, which inherit this. So no handler ever runs on the stack of a thread
/// that is in the middle of a library's generated code.
void hold_stop_signal();

/// Whether SIGUSR1 has come. Any thread may ask; stages do between two units of work.
bool stop_requested();

/// Keeps SIGTERM and SIGINT pending as well, for a command that finishes what is in hand when it is
/// told to end. Called at the same place.
void hold_end_signals();

/// Whether one of these has come.
bool end_requested();

}  // namespace knnseq::runtime
