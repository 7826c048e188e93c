#include "retrieval/search_options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::retrieval {

void SearchOptions::validate() const {
  if (k < 1) throw core::InputError(fmt::format("k is {}, it must be at least 1", k));
  if (nprobe < 1) {
    throw core::InputError(fmt::format("nprobe is {}, it must be at least 1", nprobe));
  }
  if (ef_search < 1) {
    throw core::InputError(fmt::format("ef_search is {}, it must be at least 1", ef_search));
  }
}

}  // namespace knnseq::retrieval
