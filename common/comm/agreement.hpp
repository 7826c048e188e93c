// Agreement on failure before ranks meet in a collective.
#pragma once

#include <functional>

#include "comm/communicator.hpp"
#include "core/error.hpp"

namespace knnseq::comm {

/// An error that all ranks of a communicator throw together.
class AgreedError : public core::Error {
 public:
  AgreedError(const core::Error& error, const Communicator& comm, int source, bool of_all)
      : Error(error), ranks_(comm.size()), speaker_(comm.rank() == source), of_all_(of_all) {}
  int ranks() const { return ranks_; }  ///< how many throw it
  /// Whether this rank, the lowest that failed, is to report the error for all.
  bool is_speaker() const { return speaker_; }
  bool of_all() const { return of_all_; }  ///< whether every rank failed by itself

 private:
  int ranks_;
  bool speaker_;
  bool of_all_;
};

/// Runs fallible local work on every rank, then lets all ranks agree: if any failed, all throw
/// AgreedError with the message and exit code of the lowest failed rank, so that no rank waits for
/// one that is gone. Collective. A std::logic_error (our own bug) is not shared: it ends the
/// job.
void agree(Communicator& comm, const std::function<void()>& work);

/// agree() on work that only rank 0 of the communicator does. Collective.
void on_root(Communicator& comm, const std::function<void()>& work);

}  // namespace knnseq::comm
