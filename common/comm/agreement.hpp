// Agreement on failure before ranks meet in a collective.
#pragma once

#include <functional>

#include "comm/communicator.hpp"
#include "core/error.hpp"

namespace knnseq::comm {

/// An error that all ranks throw together, so one of them may report it for all.
class AgreedError : public core::Error {
  using core::Error::Error;
};

/// Runs fallible local work on every rank, then lets all ranks agree: where any failed, all throw
/// AgreedError with the message and exit code of the lowest rank that did, so that nobody waits for a rank
/// that is gone. Collective. A std::logic_error (our own bug) is not shared: it ends the job.
void agree(Communicator& comm, const std::function<void()>& work);

}  // namespace knnseq::comm
