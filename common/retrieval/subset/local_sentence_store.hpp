// The part of the datastore's sentences that a rank holds for all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace knnseq::retrieval {

/// One sentence's entries, numbered from first_entry on.
struct HeldSentence {
  std::int64_t number = 0;
  std::int64_t first_entry = 0;
  std::span<const std::uint32_t> values = {};  ///< [entries] tokens
  std::span<const std::uint8_t> codes = {};    ///< [entries, m]
};

/// Codes and values in memory. Not collective.
class LocalSentenceStore {
 public:
  /// m: bytes of a code.
  explicit LocalSentenceStore(std::int64_t m) : m_(m) {}

  void reserve(std::int64_t sentences, std::int64_t entries);
  void add(const HeldSentence& sentence);
  /// Makes find() ready; to be called once, after the last add().
  void finish();

  /// Throws std::logic_error if the sentence is not held.
  HeldSentence find(std::int64_t number) const;

  std::int64_t m() const { return m_; }
  std::int64_t sentences() const { return std::ssize(sentences_); }
  std::int64_t entries() const { return std::ssize(values_); }
  std::int64_t bytes() const;  ///< of memory

 private:
  struct Place {
    std::int64_t number;
    std::int64_t first_entry;
    std::int64_t row;  ///< of its first entry
    std::int64_t entries;
  };
  std::int64_t m_;
  std::vector<Place> sentences_;  ///< after finish(): by number
  std::vector<std::uint32_t> values_;
  std::vector<std::uint8_t> codes_;  ///< [entries, m]
};

}  // namespace knnseq::retrieval
