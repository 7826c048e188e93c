#include "stages/import/foreign_sentences.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "core/error.hpp"
#include "stages/import/read_array.hpp"

namespace knnseq::stages {

namespace {

/// Entries that `add` codes in one product, as it does those of a batch of text.
constexpr std::int64_t batch_entries = 4096;

/// Sentences whose lengths are read at once.
constexpr std::int64_t lengths_at_once = 65536;

[[noreturn]] void refuse_row(const ForeignArray& array, const char* dataset, std::int64_t row,
                             const std::string& what) {
  throw core::InputError(array.path, fmt::format("row {} of dataset '{}' {}", row, dataset, what));
}

}  // namespace

std::vector<std::int64_t> count_up(core::Range numbers) {
  std::vector<std::int64_t> all(numbers.size());
  std::iota(all.begin(), all.end(), numbers.begin);
  return all;
}

ForeignSentences::ForeignSentences(const ImportOptions& options, const ForeignStore& store)
    : entries_(store.entries()), first_lines_({0}) {
  for (const auto& path : options.values) {
    const bool is_first = &path == options.values.data();
    const ForeignArray values = find_values(path);
    const bool has_lines = values.origin == "knn-seq";
    if (!is_first && has_lines != are_lines()) {
      throw core::InputError(
          path,
          fmt::format("{} sentences, unlike {}: all values are to come from knn-seq, or none",
                      has_lines ? "has" : "says nothing of", options.values.front().string()));
    }
    if (!has_lines) continue;
    lengths_.push_back(find_of_sentences(path, "lengths"));
    orders_.push_back(find_of_sentences(path, "sort_order"));
    tokens_.push_back(values.rows);
    const auto rows = lengths_.back().rows;
    if (orders_.back().rows != rows) {
      throw core::InputError(path, fmt::format("dataset 'sort_order' has {} rows, 'lengths' {}",
                                               orders_.back().rows, rows));
    }
    first_lines_.push_back(first_lines_.back() + rows);
  }
}

void ForeignSentences::add(std::int64_t length) {
  if (end_.entry == entries_) return;  // beyond import.entries
  const auto next = end_.entry + length;
  if (next > entries_) {
    throw core::InputError(
        fmt::format("import.entries: {} end within a sentence, which has the entries {} to {}: "
                    "take {} or {}",
                    entries_, end_.entry, next - 1, end_.entry, next));
  }
  const auto& start = starts_.back();
  if (end_.sentence > start.sentence && next - start.entry > batch_entries) {
    starts_.push_back(end_);
  }
  end_ = {end_.sentence + 1, next};
}

void ForeignSentences::read_file(std::size_t file) {
  const ForeignArray& lengths = lengths_[file];
  const auto sentences = lengths.rows;
  std::vector<bool> seen(sentences);
  std::int64_t left = tokens_[file];
  for (std::int64_t first = 0; first < sentences; first += lengths_at_once) {
    const core::Range rows{first, std::min(first + lengths_at_once, sentences)};
    const auto of_rows = read_numbers(lengths, rows);
    const auto lines = read_numbers(orders_[file], rows);
    for (std::int64_t i = 0; i < rows.size(); ++i) {
      const auto length = of_rows[i];
      if (length < 1) {
        refuse_row(lengths, "lengths", first + i,
                   fmt::format("is {}; a sentence has an end at least", length));
      }
      if (length > left) {
        refuse_row(lengths, "lengths", first + i,
                   fmt::format("is more than is left of the {} of 'tokens'", tokens_[file]));
      }
      left -= length;
      const auto line = lines[i];
      if (line < 0 || line >= sentences) {
        refuse_row(orders_[file], "sort_order", first + i,
                   fmt::format("is {}, which is none of its {} sentences", line, sentences));
      }
      if (seen[line]) {
        refuse_row(orders_[file], "sort_order", first + i,
                   fmt::format("is {} for the second time", line));
      }
      seen[line] = true;
      add(length);
    }
  }
  if (left == 0) return;
  throw core::InputError(lengths.path,
                         fmt::format("dataset 'lengths' sums up to {}, 'tokens' has {}",
                                     tokens_[file] - left, tokens_[file]));
}

void ForeignSentences::find_batches() {
  if (!are_lines()) return;
  starts_ = {{0, 0}};
  end_ = {0, 0};
  for (std::size_t file = 0; file < lengths_.size(); ++file) read_file(file);
  starts_.push_back(end_);
}

void ForeignSentences::share_batches(comm::Communicator& comm) {
  const std::span<const SentencePlace> mine(starts_);
  starts_ = comm.all_gather(comm.is_root() ? mine : mine.first(0)).values;
}

std::int64_t ForeignSentences::batches() const {
  return are_lines() ? std::ssize(starts_) - 1 : core::ceil_div(entries_, batch_entries);
}

core::Range ForeignSentences::batches_of_shard(std::int64_t shard, std::int64_t shards) const {
  return core::even_part(batches(), shard, shards);
}

SentencePlace ForeignSentences::start_of(std::int64_t batch) const {
  if (are_lines()) return starts_[batch];
  const auto entry = std::min(batch * batch_entries, entries_);
  return {entry, entry};
}

core::Range ForeignSentences::sentences_of(core::Range batches) const {
  return {start_of(batches.begin).sentence, start_of(batches.end).sentence};
}

core::Range ForeignSentences::entries_of(core::Range batches) const {
  return {start_of(batches.begin).entry, start_of(batches.end).entry};
}

std::vector<core::Range> ForeignSentences::units_of(core::Range batches) const {
  std::vector<core::Range> units;
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    const bool fits =
        !units.empty() && entries_of({units.back().begin, batch + 1}).size() <= store::unit_entries;
    if (!fits) units.push_back({batch, batch});
    units.back().end = batch + 1;
  }
  return units;
}

void ForeignSentences::for_each_file(
    core::Range sentences,
    const std::function<void(std::size_t, core::Range, std::int64_t)>& visit) const {
  for_each_part(lengths_, sentences,
                [&](const ForeignArray& array, core::Range rows, std::int64_t done) {
                  visit(static_cast<std::size_t>(&array - lengths_.data()), rows, done);
                });
}

std::vector<std::int64_t> ForeignSentences::lines_in_file(std::size_t file,
                                                          core::Range rows) const {
  return read_numbers(orders_[file], rows);
}

std::vector<std::int64_t> ForeignSentences::lines_of(core::Range sentences) const {
  if (!are_lines()) return count_up(sentences);
  std::vector<std::int64_t> lines;
  for_each_file(sentences, [&](std::size_t file, core::Range rows, std::int64_t) {
    for (const auto line : lines_in_file(file, rows)) lines.push_back(first_lines_[file] + line);
  });
  return lines;
}

store::CorpusShard ForeignSentences::describe(core::Range batches,
                                              const SentencePlace& origin) const {
  const auto sentences = sentences_of(batches);
  const auto entries = entries_of(batches);
  store::CorpusShard shard;
  shard.source_starts =
      count_up({sentences.begin - origin.sentence, sentences.end - origin.sentence + 1});
  shard.sentence_numbers = count_up(sentences);
  shard.line_numbers = lines_of(sentences);
  for (auto batch = batches.begin; batch <= batches.end; ++batch) {
    shard.batch_starts.push_back(start_of(batch).sentence - origin.sentence);
  }
  if (!are_lines()) {
    shard.sentence_starts =
        count_up({entries.begin - origin.entry, entries.end - origin.entry + 1});
    shard.entry_starts = count_up(entries);
    return shard;
  }
  auto entry = entries.begin;
  for_each_file(sentences, [&](std::size_t file, core::Range rows, std::int64_t) {
    for (const auto length : read_numbers(lengths_[file], rows)) {
      shard.entry_starts.push_back(entry);
      shard.sentence_starts.push_back(entry - origin.entry);
      entry += length;
    }
  });
  shard.sentence_starts.push_back(entry - origin.entry);
  return shard;
}

void ForeignSentences::refuse(std::int64_t sentence, const std::string& what) const {
  for_each_file({sentence, sentence + 1}, [&](std::size_t file, core::Range rows, std::int64_t) {
    refuse_row(lengths_[file], "lengths", rows.begin, what);
  });
  throw core::InputError(what);
}

}  // namespace knnseq::stages
