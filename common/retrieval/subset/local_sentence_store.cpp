#include "retrieval/subset/local_sentence_store.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace knnseq::retrieval {

LocalSentenceStore::LocalSentenceStore(std::int64_t m, const SentenceCounts& counts,
                                       std::shared_ptr<std::byte> memory)
    : m_(m), memory_(std::move(memory)) {
  if (!memory_) {
    memory_ = {new std::byte[memory_bytes(m, counts)], std::default_delete<std::byte[]>()};
  }
  const auto sentences = static_cast<std::size_t>(counts.sentences);
  const auto entries = static_cast<std::size_t>(counts.entries);
  places_ = {reinterpret_cast<Place*>(memory_.get()), sentences};
  values_ = {reinterpret_cast<std::uint32_t*>(places_.data() + sentences), entries};
  codes_ = {reinterpret_cast<std::uint8_t*>(values_.data() + entries),
            entries * static_cast<std::size_t>(m)};
}

std::int64_t LocalSentenceStore::memory_bytes(std::int64_t m, const SentenceCounts& counts) {
  return counts.sentences * static_cast<std::int64_t>(sizeof(Place)) +
         counts.entries * (static_cast<std::int64_t>(sizeof(std::uint32_t)) + m);
}

void LocalSentenceStore::put(const SentenceCounts& place, const HeldSentence& sentence) {
  const auto count = std::ssize(sentence.values);
  KNNSEQ_ASSERT(std::ssize(sentence.codes) == count * m_, "a code for each value");
  KNNSEQ_ASSERT(place.sentences >= 0 && place.sentences < sentences() && place.entries >= 0 &&
                    place.entries + count <= entries(),
                "more sentences or entries than there is room for");
  places_[place.sentences] = {sentence.number, sentence.first_entry, place.entries, count};
  std::ranges::copy(sentence.values, values_.begin() + place.entries);
  std::ranges::copy(sentence.codes, codes_.begin() + place.entries * m_);
}

void LocalSentenceStore::sort() { std::ranges::sort(places_, {}, &Place::number); }

HeldSentence LocalSentenceStore::find(std::int64_t number) const {
  // Where no number is missing, places are numbers.
  const std::int64_t guess = places_.empty() ? 0 : number - places_.front().number;
  const bool guessed = guess >= 0 && guess < sentences() && places_[guess].number == number;
  const auto place = guessed ? places_.begin() + guess
                             : std::ranges::lower_bound(places_, number, {}, &Place::number);
  KNNSEQ_ASSERT(place != places_.end() && place->number == number,
                "a sentence that this rank does not hold");
  const auto row = static_cast<std::size_t>(place->row);
  const auto entries = static_cast<std::size_t>(place->entries);
  const auto m = static_cast<std::size_t>(m_);
  return {number, place->first_entry, values_.subspan(row, entries),
          codes_.subspan(row * m, entries * m)};
}

}  // namespace knnseq::retrieval
