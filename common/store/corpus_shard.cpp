#include "store/corpus_shard.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "comm/self_communicator.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/json_field.hpp"
#include "store/hdf5_structure.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::store {

namespace {

/// Calls visit(name, unit, vector) for each array of a shard, const or not.
template <class Shard, class Visit>
void for_each_array(Shard& shard, Visit visit) {
  visit("source_tokens", "token ids of the sources, each with its end of sentence",
        shard.source_tokens);
  visit("source_starts", "offsets into source_tokens", shard.source_starts);
  visit("target_tokens", "token ids of the targets, each with its end of sentence",
        shard.target_tokens);
  visit("sentence_starts", "offsets into target_tokens: entries of this shard",
        shard.sentence_starts);
  visit("sentence_numbers", "sentence numbers over the corpus after filtering",
        shard.sentence_numbers);
  visit("entry_starts", "global entry number of each sentence's first entry", shard.entry_starts);
  visit("line_numbers", "line of the input, from 0 over all files", shard.line_numbers);
  visit("batch_starts", "offsets into the sentences of this shard", shard.batch_starts);
}

/// Rows of a shard's array.
std::int64_t rows_of_array(const CorpusShardSizes& sizes, std::string_view dataset) {
  if (dataset == "source_tokens") return sizes.source_tokens;
  if (dataset == "target_tokens") return sizes.entries;
  if (dataset == "batch_starts") return sizes.batches + 1;
  return sizes.sentences + (dataset == "source_starts" || dataset == "sentence_starts" ? 1 : 0);
}

template <class T>
std::vector<core::TokenId> tokens_between(const std::vector<T>& tokens,
                                          const std::vector<std::int64_t>& starts,
                                          std::int64_t sentence) {
  const auto at = static_cast<std::size_t>(sentence);
  return {tokens.begin() + starts[at], tokens.begin() + starts[at + 1]};
}

/// What all users of a shard rely on.
class ShardCheck {
 public:
  ShardCheck(const std::filesystem::path& path, const CorpusShard& shard)
      : path_(path), shard_(shard) {}

  /// counts: of the shard in the corpus's manifest.
  void check(const core::JsonField& counts) const {
    const auto sentences = shard_.sentences();
    const auto require_count = [&](const char* name, std::int64_t found) {
      counts.at(name).number(found, found);
    };
    starts("batch_starts", shard_.batch_starts, sentences);
    starts("source_starts", shard_.source_starts, std::ssize(shard_.source_tokens));
    starts("sentence_starts", shard_.sentence_starts, shard_.entries());
    require(std::ssize(shard_.source_starts) == sentences + 1 &&
                std::ssize(shard_.sentence_starts) == sentences + 1 &&
                std::ssize(shard_.entry_starts) == sentences &&
                std::ssize(shard_.line_numbers) == sentences,
            "sentence_numbers", "does not have a row for each sentence");
    require_count("sentences", sentences);
    require_count("entries", shard_.entries());
    require_count("source_tokens", std::ssize(shard_.source_tokens));
    require_count("batches", shard_.batches());
    tokens("source_tokens", shard_.source_tokens);
    tokens("target_tokens", shard_.target_tokens);
    numbers("sentence_numbers", shard_.sentence_numbers);
    numbers("line_numbers", shard_.line_numbers);
    numbers("entry_starts", shard_.entry_starts);
  }

 private:
  void require(bool holds, const char* dataset, const std::string& message) const {
    if (holds) return;
    throw core::InputError(path_, fmt::format("dataset '{}' {}", dataset, message));
  }

  void starts(const char* dataset, const std::vector<std::int64_t>& starts,
              std::int64_t end) const {
    require(!starts.empty() && starts.front() == 0, dataset, "does not start with 0");
    require(std::ranges::adjacent_find(starts, std::greater_equal()) == starts.end(), dataset,
            "does not ascend");
    require(starts.back() == end, dataset, fmt::format("does not end with {}", end));
  }

  void tokens(const char* dataset, const std::vector<std::uint32_t>& tokens) const {
    require(std::ranges::all_of(tokens, [](auto token) { return token <= core::max_id_token; }),
            dataset, "holds numbers that are not tokens");
  }

  void numbers(const char* dataset, const std::vector<std::int64_t>& numbers) const {
    const auto fits = [](auto number) { return number >= 0 && number <= core::max_entry_number; };
    require(std::ranges::all_of(numbers, fits), dataset, "holds numbers out of range");
  }

  const std::filesystem::path& path_;
  const CorpusShard& shard_;
};

struct Place {
  const std::filesystem::path& folder;
  const std::string& name;
  const FileLabel& label;
};

/// `rows` of each array.
core::Json write_arrays(const Place& place, const std::vector<std::int64_t>& rows,
                        const CorpusShardSizes& sizes,
                        const std::function<const CorpusShard*()>& next) {
  const auto alone = comm::make_self_communicator();
  const auto path = place.folder / (place.name + ".h5");
  std::vector<DatasetSpec> specs;
  const CorpusShard none;
  for_each_array(
      none, [&]<class T>(const char* dataset, const char* meaning, const std::vector<T>&) {
        const auto type = sizeof(T) == 4 ? DataType::uint32 : DataType::int64;
        specs.push_back({dataset, type, {rows[specs.size()]}, {{"description", meaning}}});
      });
  Hdf5File::create(path, *alone, specs, place.label);
  Hdf5File file = Hdf5File::open_for_writing(path, *alone);
  std::vector<std::int64_t> written(specs.size(), 0), bytes(specs.size(), 0);
  std::vector<core::Checksummer> checksums(specs.size());
  while (const CorpusShard* part = next()) {
    std::size_t array = 0;
    for_each_array(*part,
                   [&]<class T>(const char* dataset, const char*, const std::vector<T>& values) {
                     const std::span<const T> all(values);
                     file.write_rows(dataset, written[array], all);
                     written[array] += std::ssize(values);
                     bytes[array] += std::ssize(std::as_bytes(all));
                     checksums[array++].update(std::as_bytes(all));
                   });
  }
  core::Json ranges = core::Json::array();
  for (std::size_t array = 0; array < specs.size(); ++array) {
    ranges.push_back({{"dataset", specs[array].name},
                      {"first_row", 0},
                      {"bytes", bytes[array]},
                      {"checksum", fmt::format("{:016x}", checksums[array].digest())}});
  }
  file.close();  // its buffers reach the file
  file.sync();
  return {{"sentences", sizes.sentences},          {"entries", sizes.entries},
          {"source_tokens", sizes.source_tokens},  {"batches", sizes.batches},
          {"structure", describe_structure(path)}, {"units", core::Json::array({ranges})}};
}

}  // namespace

core::Range CorpusShard::sentences_of(core::Range batches) const {
  return {batch_starts[batches.begin], batch_starts[batches.end]};
}

core::Range CorpusShard::entries_of(core::Range batches) const {
  const auto sentences = sentences_of(batches);
  return {sentence_starts[sentences.begin], sentence_starts[sentences.end]};
}

std::vector<core::TokenId> CorpusShard::source(std::int64_t sentence) const {
  return tokens_between(source_tokens, source_starts, sentence);
}

std::vector<core::TokenId> CorpusShard::target(std::int64_t sentence) const {
  return tokens_between(target_tokens, sentence_starts, sentence);
}

std::int64_t CorpusShard::sentence_of(std::int64_t row) const {
  const auto next = std::upper_bound(sentence_starts.begin(), sentence_starts.end(), row);
  return next - sentence_starts.begin() - 1;
}

bool CorpusShard::ends_sentence(std::int64_t row) const {
  return sentence_starts[sentence_of(row) + 1] == row + 1;
}

std::int64_t CorpusShard::entry_number(std::int64_t row) const {
  const auto sentence = static_cast<std::size_t>(sentence_of(row));
  return entry_starts[sentence] + row - sentence_starts[sentence];
}

std::vector<std::int64_t> CorpusShard::sentences_by_entry() const {
  std::vector<std::int64_t> order(entry_starts.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::sort(order, {}, [this](std::int64_t i) { return entry_starts[i]; });
  return order;
}

std::int64_t CorpusShard::find_entry(std::int64_t entry_number,
                                     std::span<const std::int64_t> by_entry) const {
  const auto after = std::ranges::upper_bound(by_entry, entry_number, {},
                                              [this](std::int64_t i) { return entry_starts[i]; });
  if (after == by_entry.begin()) return -1;
  const auto sentence = *std::prev(after);
  const auto at = static_cast<std::size_t>(sentence);
  const auto length = sentence_starts[at + 1] - sentence_starts[at];
  return entry_number < entry_starts[at] + length ? sentence : -1;
}

core::Json CorpusShard::write(const std::filesystem::path& folder, const std::string& name,
                              const FileLabel& label) const {
  std::vector<std::int64_t> rows;
  for_each_array(*this, [&]<class T>(const char*, const char*, const std::vector<T>& values) {
    rows.push_back(std::ssize(values));
  });
  const CorpusShard* left = this;
  return write_arrays({folder, name, label}, rows,
                      {sentences(), entries(), std::ssize(source_tokens), batches()},
                      [&] { return std::exchange(left, nullptr); });
}

core::Json CorpusShard::write_parts(const std::filesystem::path& folder, const std::string& name,
                                    const FileLabel& label, const CorpusShardSizes& sizes,
                                    const std::function<const CorpusShard*()>& next) {
  std::vector<std::int64_t> rows;
  const CorpusShard none;
  for_each_array(none, [&]<class T>(const char* dataset, const char*, const std::vector<T>&) {
    rows.push_back(rows_of_array(sizes, dataset));
  });
  return write_arrays({folder, name, label}, rows, sizes, next);
}

CorpusShard CorpusShard::read(const std::filesystem::path& folder, const std::string& name,
                              const core::Json& manifest) {
  const auto path = folder / (name + ".h5");
  verify_structure(path, manifest.at("structure"));
  const Hdf5File file = Hdf5File::open_for_reading(path);
  CorpusShard shard;
  const core::JsonField counts(path, manifest);
  const auto units = counts.at("units").elements();
  if (units.empty()) counts.at("units").refuse("is empty");
  const auto ranges = units.front().elements();
  auto range = ranges.begin();
  for_each_array(shard, [&]<class T>(const char* dataset, const char*, std::vector<T>& values) {
    if (range == ranges.end() || range->at("dataset").text() != dataset) {
      counts.at("units").refuse("does not name the datasets of a corpus in their order");
    }
    values = file.read_all<T>(dataset);
    verify_range(path, manifest["units"][0][range - ranges.begin()],
                 std::as_bytes(std::span<const T>(values)));
    ++range;
  });
  ShardCheck(path, shard).check(counts);
  return shard;
}

void require_tokens_below(const CorpusShard& shard, std::int64_t source_vocabulary,
                          std::int64_t target_vocabulary) {
  const auto check = [&](const std::vector<std::uint32_t>& tokens,
                         const std::vector<std::int64_t>& starts, std::int64_t vocabulary) {
    const auto found = std::ranges::find_if(tokens, [&](auto t) { return t >= vocabulary; });
    if (found == tokens.end()) return;
    const auto sentence =
        std::ranges::upper_bound(starts, found - tokens.begin()) - starts.begin() - 1;
    throw core::InputError(
        fmt::format("line {} of the corpus holds token {}, outside the model's vocabulary of {}",
                    shard.line_numbers[sentence] + 1, *found, vocabulary));
  };
  check(shard.source_tokens, shard.source_starts, source_vocabulary);
  check(shard.target_tokens, shard.sentence_starts, target_vocabulary);
}

std::vector<core::Range> cut_units(const CorpusShard& shard) {
  std::vector<core::Range> units;
  std::int64_t entries = 0;
  for (std::int64_t batch = 0; batch < shard.batches(); ++batch) {
    const auto more = shard.entries_of({batch, batch + 1}).size();
    if (units.empty() || entries + more > unit_entries) {
      units.push_back({batch, batch});
      entries = 0;
    }
    units.back().end = batch + 1;
    entries += more;
  }
  return units;
}

}  // namespace knnseq::store
