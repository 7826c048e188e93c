// Starting and ending MPI, and the communicator of all ranks.
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.hpp"
#include "comm/watchdog.hpp"

namespace knnseq::comm {

/// Initialises MPI with MPI_THREAD_FUNNELED (and checks that it got it) and makes every call return
/// its error code. One object a process, made in main. The destructor finalises MPI, except while
/// an exception unwinds: a rank that failed must not wait in MPI_Finalize for the others. If a rank
/// waits for the others in either for longer than the environment variable KNNSEQ_START_TIMEOUT
/// allows (seconds, 120 by default, 0: for ever), its process ends with a message.
class MpiEnvironment {
 public:
  MpiEnvironment(int& argc, char**& argv);
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;

  /// All ranks. Collectives that take longer than `timeout_seconds` end this process with a message
  /// (an MPI call whose peer is gone may never return); 0 waits for ever. Collective.
  std::unique_ptr<Communicator> world(double timeout_seconds);
  /// The same with the time of KNNSEQ_START_TIMEOUT: before there is a config.
  std::unique_ptr<Communicator> world();

  /// Ends all ranks with this exit code; does not return.
  [[noreturn]] void abort(int exit_code);

 private:
  std::unique_ptr<Communicator> make_world(std::shared_ptr<Watchdog> watchdog);

  std::shared_ptr<Watchdog> start_and_end_;
};

}  // namespace knnseq::comm
