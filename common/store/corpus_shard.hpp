// One shard of the tokenised corpus.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "core/files.hpp"
#include "core/types.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::store {

struct CorpusShardSizes {
  std::int64_t sentences = 0;
  std::int64_t entries = 0;
  std::int64_t source_tokens = 0;
  std::int64_t batches = 0;
};

/// Sentences in the order in which they are encoded: batch after batch. Token sequences end in EOS.
/// The target tokens are the values of the shard's entries, one after another.
struct CorpusShard {
  std::vector<std::uint32_t> source_tokens;
  std::vector<std::int64_t> source_starts;  ///< [sentences + 1]
  std::vector<std::uint32_t> target_tokens;
  std::vector<std::int64_t> sentence_starts;   ///< [sentences + 1], entries of this shard
  std::vector<std::int64_t> sentence_numbers;  ///< [sentences], over the corpus after filtering
  std::vector<std::int64_t> entry_starts;      ///< [sentences], global number of the first entry
  std::vector<std::int64_t> line_numbers;      ///< [sentences], from 0 over all input files
  std::vector<std::int64_t> batch_starts;      ///< [batches + 1], sentences of this shard

  std::int64_t sentences() const { return std::ssize(sentence_numbers); }
  std::int64_t entries() const { return std::ssize(target_tokens); }
  std::int64_t batches() const { return std::ssize(batch_starts) - 1; }
  /// Sentences and entries (of this shard) that a range of batches covers.
  core::Range sentences_of(core::Range batches) const;
  core::Range entries_of(core::Range batches) const;
  std::vector<core::TokenId> source(std::int64_t sentence) const;
  std::vector<core::TokenId> target(std::int64_t sentence) const;
  /// The sentence (of this shard) that a row of this shard's entries belongs to.
  std::int64_t sentence_of(std::int64_t row) const;
  /// Whether it is the sentence's last one, its EOS.
  bool ends_sentence(std::int64_t row) const;
  /// The global number of such a row's entry.
  std::int64_t entry_number(std::int64_t row) const;
  /// All sentences, by their first entries: for find_entry().
  std::vector<std::int64_t> sentences_by_entry() const;
  /// The sentence whose entry has this number; −1 if it is not in this shard.
  std::int64_t find_entry(std::int64_t entry_number, std::span<const std::int64_t> by_entry) const;

  /// Writes `folder`/`name`.h5; returns {"sentences", "entries", "source_tokens", "batches",
  /// "structure", "units"} for the manifest, the last two as ShardFile::finish() gives them.
  /// `label` is the file's. Not collective.
  core::Json write(const std::filesystem::path& folder, const std::string& name,
                   const FileLabel& label = {}) const;
  /// Writes the same file of a shard that comes in parts: next() gives them one after another, then
  /// nothing. Arrays of all parts, one after another, are the shard's, of these sizes; starts count
  /// over the whole shard, so that only the last part has their last one.
  static core::Json write_parts(const std::filesystem::path& folder, const std::string& name,
                                const FileLabel& label, const CorpusShardSizes& sizes,
                                const std::function<const CorpusShard*()>& next);
  /// Reads it back and compares it with what write() returned. Throws core::InputError, also if it
  /// is not as described above or has a number that does not fit an entry's id. Callers that know
  /// the vocabulary must check the tokens: require_tokens_below().
  static CorpusShard read(const std::filesystem::path& folder, const std::string& name,
                          const core::Json& manifest);
};

/// Throws core::InputError naming the line if the corpus holds a token outside the vocabularies
/// (numbers of tokens) of a model.
void require_tokens_below(const CorpusShard& shard, std::int64_t source_vocabulary,
                          std::int64_t target_vocabulary);

/// Most entries that encode and add commit together: a trade between the work that a kill loses and
/// the syncing of disks.
inline constexpr std::int64_t unit_entries = 32768;

/// Consecutive batches that are committed together: at least one, and as many as fit unit_entries.
/// Half-open ranges of batches; the same for any number of ranks.
std::vector<core::Range> cut_units(const CorpusShard& shard);

}  // namespace knnseq::store
