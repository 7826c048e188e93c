#include "retrieval/subset/local_sentence_store.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace knnseq::retrieval {

void LocalSentenceStore::reserve(std::int64_t sentences, std::int64_t entries) {
  sentences_.reserve(sentences);
  values_.reserve(entries);
  codes_.reserve(entries * m_);
}

void LocalSentenceStore::add(const HeldSentence& sentence) {
  KNNSEQ_ASSERT(std::ssize(sentence.codes) == std::ssize(sentence.values) * m_,
                "a code for each value");
  sentences_.push_back(
      {sentence.number, sentence.first_entry, entries(), std::ssize(sentence.values)});
  values_.insert(values_.end(), sentence.values.begin(), sentence.values.end());
  codes_.insert(codes_.end(), sentence.codes.begin(), sentence.codes.end());
}

void LocalSentenceStore::finish() {
  std::sort(sentences_.begin(), sentences_.end(),
            [](const Place& a, const Place& b) { return a.number < b.number; });
}

HeldSentence LocalSentenceStore::find(std::int64_t number) const {
  const auto place =
      std::lower_bound(sentences_.begin(), sentences_.end(), number,
                       [](const Place& a, std::int64_t wanted) { return a.number < wanted; });
  KNNSEQ_ASSERT(place != sentences_.end() && place->number == number,
                "a sentence that this rank does not hold");
  const auto row = static_cast<std::size_t>(place->row);
  const auto entries = static_cast<std::size_t>(place->entries);
  const auto m = static_cast<std::size_t>(m_);
  return {number, place->first_entry, std::span(values_).subspan(row, entries),
          std::span(codes_).subspan(row * m, entries * m)};
}

std::int64_t LocalSentenceStore::bytes() const {
  return static_cast<std::int64_t>(sentences_.size() * sizeof(Place) +
                                   values_.size() * sizeof(std::uint32_t) + codes_.size());
}

}  // namespace knnseq::retrieval
