#include "retrieval/plain_search.hpp"

#include <fmt/format.h>

namespace knnseq::retrieval {

Neighbours PlainSearch::search(const at::Tensor& queries, std::span<const std::int64_t>) {
  const Exchange found = search_.search(queries, /*status=*/0);
  return {found.scores, found.ids};
}

std::string PlainSearch::summary() const { return describe(search_.times()); }

std::string describe(const SearchTimes& times) {
  return fmt::format(
      "{} queries in {} exchanges; probing {:.1f} s, scanning {:.1f} s, exchanging and waiting "
      "{:.1f} s, merging {:.1f} s",
      times.queries, times.exchanges, times.prepare_seconds, times.scan_seconds,
      times.exchange_seconds, times.merge_seconds);
}

}  // namespace knnseq::retrieval
