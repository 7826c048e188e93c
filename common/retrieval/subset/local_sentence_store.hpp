// The datastore's sentences that a rank holds: its part of all, or all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace knnseq::retrieval {

/// One sentence's entries, numbered from first_entry on.
struct HeldSentence {
  std::int64_t number = 0;
  std::int64_t first_entry = 0;
  std::span<const std::uint32_t> values = {};  ///< [entries] tokens
  std::span<const std::uint8_t> codes = {};    ///< [entries, m]
};

/// How much there is.
struct SentenceCounts {
  std::int64_t sentences = 0;
  std::int64_t entries = 0;
};

/// Codes and values in one piece of memory, which processes can share. Not copied; not collective.
class LocalSentenceStore {
 public:
  /// Room for so many. m: bytes of a code. memory: of memory_bytes(), aligned to 8 bytes; its own
  /// if none is given. Processes that share it may each put() other sentences.
  LocalSentenceStore(std::int64_t m, const SentenceCounts& counts,
                     std::shared_ptr<std::byte> memory = nullptr);

  static std::int64_t memory_bytes(std::int64_t m, const SentenceCounts& counts);

  LocalSentenceStore(LocalSentenceStore&&) noexcept = default;
  LocalSentenceStore& operator=(LocalSentenceStore&&) noexcept = default;
  LocalSentenceStore(const LocalSentenceStore&) = delete;
  LocalSentenceStore& operator=(const LocalSentenceStore&) = delete;
  ~LocalSentenceStore() = default;

  /// Takes a sentence as the place-th of all, its entries from `row` on. Each place and row is
  /// filled once, in any order.
  void put(const SentenceCounts& place, const HeldSentence& sentence);
  /// Makes find() ready once all is filled: to be called by one of the processes that share it.
  void sort();

  /// Throws std::logic_error if the sentence is not held.
  HeldSentence find(std::int64_t number) const;

  std::int64_t m() const { return m_; }
  std::int64_t sentences() const { return std::ssize(places_); }
  std::int64_t entries() const { return std::ssize(values_); }
  std::int64_t bytes() const { return memory_bytes(m_, {sentences(), entries()}); }

 private:
  struct Place {
    std::int64_t number;
    std::int64_t first_entry;
    std::int64_t row;  ///< of its first entry
    std::int64_t entries;
  };
  std::int64_t m_;
  std::shared_ptr<std::byte> memory_;  ///< holds all that follows
  std::span<Place> places_;            ///< after sort(): by number
  std::span<std::uint32_t> values_;
  std::span<std::uint8_t> codes_;  ///< [entries, m]
};

}  // namespace knnseq::retrieval
