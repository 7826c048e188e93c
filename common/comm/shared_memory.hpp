// Memory that several ranks of one node read and write.
#pragma once

#include <cstddef>
#include <memory>

#include "comm/communicator.hpp"

namespace knnseq::comm {

/// `bytes` of zeros (aligned to a page), the same memory for all ranks, which must run on one node
/// (Communicator::split_by_node()). Freed when no rank holds it any more; it has no name in a file
/// system, so nothing stays behind, and is not limited by the size of /dev/shm. Pages lie in the
/// memory of the core that writes to them first. Writers need a barrier before others read.
/// Collective. Throws core::SystemError on all ranks, if ranks cannot reach each other's /proc
/// (containers of their own) or there is too little memory.
std::shared_ptr<std::byte> make_shared_memory(Communicator& sharers, std::size_t bytes);

/// Whether make_shared_memory() works for these ranks. The same on all of them. Collective.
bool can_share_memory(Communicator& sharers);

}  // namespace knnseq::comm
