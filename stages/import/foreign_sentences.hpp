// How the entries of a store are sentences.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "stages/import/foreign_store.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// Between two sentences: how many of them, and of entries, come before.
struct SentencePlace {
  std::int64_t sentence = 0;
  std::int64_t entry = 0;
};

/// knn-seq keeps sentences beside the tokens of its values: their lengths, and which line of the
/// text each one is. Of other programs' entries each counts as a sentence of its own, whose line is
/// its row. Sentences are cut into batches, which are dealt to the shards in runs of consecutive
/// ones. Holds no file open, and of each batch where it begins.
class ForeignSentences {
 public:
  /// Opens the files of import.values. Throws core::InputError naming file and dataset if one of
  /// knn-seq has no sentences, or some files have them and others have not.
  ForeignSentences(const ImportOptions& options, const ForeignStore& store);

  /// Whether they are lines of a text.
  bool are_lines() const { return !lengths_.empty(); }
  /// Of all files, those beyond import.entries among them.
  std::int64_t lines() const { return are_lines() ? first_lines_.back() : entries_; }

  /// Reads all lengths and lines; one bit a sentence in memory. Throws core::InputError naming file
  /// and dataset if lengths are not those of the tokens, lines are named twice or do not exist, or
  /// import.entries ends within a sentence. Until this or share_batches() there are no batches.
  void find_batches();
  /// Gives what rank 0 has found to all. Collective.
  void share_batches(comm::Communicator& comm);

  std::int64_t sentences() const { return start_of(batches()).sentence; }
  std::int64_t batches() const;
  core::Range batches_of_shard(std::int64_t shard, std::int64_t shards) const;
  /// Of a batch; also of the one after the last.
  SentencePlace start_of(std::int64_t batch) const;
  core::Range sentences_of(core::Range batches) const;
  core::Range entries_of(core::Range batches) const;
  /// Batches that are committed together, as store::cut_units() cuts those of a shard.
  std::vector<core::Range> units_of(core::Range batches) const;

  /// What a corpus says of batches, but for their tokens; starts are counted from `origin`.
  store::CorpusShard describe(core::Range batches, const SentencePlace& origin) const;

  /// From 0 over all files.
  std::vector<std::int64_t> lines_of(core::Range sentences) const;
  /// Rows of sentences in the files of import.values: visit(file, its rows, how many came before).
  /// Only of lines.
  void for_each_file(
      core::Range sentences,
      const std::function<void(std::size_t, core::Range, std::int64_t)>& visit) const;
  /// Sentences of a file; the lines, from 0 in each file, of some of its rows. Only of lines.
  std::int64_t lines_of_file(std::size_t file) const { return lengths_[file].rows; }
  std::vector<std::int64_t> lines_in_file(std::size_t file, core::Range rows) const;
  /// "FILE: row 3 of dataset 'lengths' " and what is wrong with that sentence.
  [[noreturn]] void refuse(std::int64_t sentence, const std::string& what) const;

 private:
  void read_file(std::size_t file);
  void add(std::int64_t length);

  std::int64_t entries_ = 0;
  std::vector<ForeignArray> lengths_, orders_;  ///< of each file; none: entries are sentences
  std::vector<std::int64_t> tokens_;            ///< in each file
  std::vector<std::int64_t> first_lines_;       ///< [files + 1] lines before each file
  std::vector<SentencePlace> starts_;           ///< [batches + 1], where they are lines
  SentencePlace end_;                           ///< while batches are found
};

/// begin, begin + 1, … up to the end, without it.
std::vector<std::int64_t> count_up(core::Range numbers);

}  // namespace knnseq::stages
