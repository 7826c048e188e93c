#include "store/corpus_shard.hpp"

#include <algorithm>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
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

template <class T>
std::vector<core::TokenId> tokens_between(const std::vector<T>& tokens,
                                          const std::vector<std::int64_t>& starts,
                                          std::int64_t sentence) {
  const auto at = static_cast<std::size_t>(sentence);
  return {tokens.begin() + starts[at], tokens.begin() + starts[at + 1]};
}

}  // namespace

core::Range CorpusShard::sentences_of(core::Range batches) const {
  return {batch_starts[static_cast<std::size_t>(batches.begin)],
          batch_starts[static_cast<std::size_t>(batches.end)]};
}

core::Range CorpusShard::entries_of(core::Range batches) const {
  const auto sentences = sentences_of(batches);
  return {sentence_starts[static_cast<std::size_t>(sentences.begin)],
          sentence_starts[static_cast<std::size_t>(sentences.end)]};
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

std::int64_t CorpusShard::entry_number(std::int64_t row) const {
  const auto sentence = static_cast<std::size_t>(sentence_of(row));
  return entry_starts[sentence] + row - sentence_starts[sentence];
}

std::int64_t CorpusShard::find_entry(std::int64_t entry_number) const {
  for (std::size_t i = 0; i < entry_starts.size(); ++i) {
    const auto length = sentence_starts[i + 1] - sentence_starts[i];
    if (entry_number >= entry_starts[i] && entry_number < entry_starts[i] + length) {
      return static_cast<std::int64_t>(i);
    }
  }
  return -1;
}

core::Json CorpusShard::write(const std::filesystem::path& folder, const std::string& name) const {
  const auto alone = comm::make_self_communicator();
  const auto path = folder / (name + ".h5");
  std::vector<DatasetSpec> specs;
  core::Json ranges = core::Json::array();
  for_each_array(
      *this, [&]<class T>(const char* dataset, const char* meaning, const std::vector<T>& values) {
        const auto type = sizeof(T) == 4 ? DataType::uint32 : DataType::int64;
        specs.push_back({dataset, type, {std::ssize(values)}, {{"description", meaning}}});
        const auto bytes = std::as_bytes(std::span<const T>(values));
        ranges.push_back({{"dataset", dataset},
                          {"first_row", 0},
                          {"bytes", bytes.size()},
                          {"checksum", range_checksum(bytes)}});
      });
  Hdf5File::create(path, *alone, specs);
  Hdf5File file = Hdf5File::open_for_writing(path, *alone);
  for_each_array(*this,
                 [&]<class T>(const char* dataset, const char*, const std::vector<T>& values) {
                   file.write_rows(dataset, 0, std::span<const T>(values));
                 });
  file.close();  // its buffers reach the file
  file.sync();
  return {{"sentences", sentences()},
          {"entries", entries()},
          {"source_tokens", source_tokens.size()},
          {"batches", batches()},
          {"structure", describe_structure(path)},
          {"units", core::Json::array({ranges})}};
}

CorpusShard CorpusShard::read(const std::filesystem::path& folder, const std::string& name,
                              const core::Json& manifest) {
  const auto path = folder / (name + ".h5");
  verify_structure(path, manifest.at("structure"));
  const Hdf5File file = Hdf5File::open_for_reading(path);
  CorpusShard shard;
  auto range = manifest.at("units").at(0).begin();
  for_each_array(shard, [&]<class T>(const char* dataset, const char*, std::vector<T>& values) {
    KNNSEQ_ASSERT(range->at("dataset") == dataset, "a shard's datasets are in another order");
    values = file.read_all<T>(dataset);
    verify_range(path, *range++, std::as_bytes(std::span<const T>(values)));
  });
  return shard;
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
