#include "stages/remove/renumbering.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace knnseq::stages {

Renumbering::Renumbering(std::vector<RemovedSentence> removed) : removed_(std::move(removed)) {
  std::ranges::sort(removed_, {}, &RemovedSentence::first_entry);
  KNNSEQ_ASSERT(std::ranges::is_sorted(removed_, {}, &RemovedSentence::number),
                "entries are numbered in the order of sentences");
  for (const auto& sentence : removed_) {
    removed_before_.push_back(removed_before_.back() + sentence.entries);
  }
}

std::int64_t Renumbering::sentence(std::int64_t number) const {
  const auto after = std::ranges::upper_bound(removed_, number, {}, &RemovedSentence::number);
  if (after != removed_.begin() && std::prev(after)->number == number) return -1;
  return number - (after - removed_.begin());
}

std::int64_t Renumbering::entry(std::int64_t number) const {
  const auto after = std::ranges::upper_bound(removed_, number, {}, &RemovedSentence::first_entry);
  if (after != removed_.begin()) {
    const auto& last = *std::prev(after);
    if (number < last.first_entry + last.entries) return -1;
  }
  return number - removed_before_[static_cast<std::size_t>(after - removed_.begin())];
}

}  // namespace knnseq::stages
