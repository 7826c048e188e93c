#include "stages/shared/shards/shard_keys.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/inputs/key_type.hpp"
#include "store/hdf5_structure.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::stages {

namespace {

/// The shard's manifest, after checking that its file has the stated structure.
core::Json verified_manifest(const std::filesystem::path& folder, std::int64_t shard,
                             const std::filesystem::path& file) {
  core::Json manifest = runtime::read_shard_manifest(folder, shard);
  store::verify_structure(file, manifest.at("structure"));
  return manifest;
}

store::DataType type_of_vectors(const std::filesystem::path& file, const std::string& dataset) {
  const auto type = store::Hdf5File::open_for_reading(file).type_of(dataset);
  using enum store::DataType;
  if (type == float16 || type == bfloat16 || type == float32) return type;
  throw core::InputError(file, fmt::format("dataset '{}' is of another type", dataset));
}

}  // namespace

ShardKeys::ShardKeys(const std::filesystem::path& folder, std::int64_t shard, std::string dataset,
                     std::optional<store::DataType> type, int dimensions)
    : path_(folder / (runtime::shard_name(shard) + ".h5")),
      manifest_(verified_manifest(folder, shard, path_)),
      dataset_(std::move(dataset)),
      type_(type ? *type : type_of_vectors(path_, dataset_)),
      rows_(path_, dataset_, type_, dimensions) {}

at::Tensor ShardKeys::read(std::int64_t unit, core::Range rows, at::Device device) const {
  const auto options = at::TensorOptions(scalar_type_of(type_)).pinned_memory(device.is_cuda());
  const at::Tensor vectors = at::empty({rows.size(), width()}, options);
  read_bytes(unit, rows.begin,
             {static_cast<std::byte*>(vectors.mutable_data_ptr()), vectors.nbytes()});
  return vectors.to(device, /*non_blocking=*/true);
}

void ShardKeys::read_bytes(std::int64_t unit, std::int64_t first_row,
                           std::span<std::byte> bytes) const {
  rows_.read_bytes(first_row, bytes);
  const auto& units = manifest_.at("units");
  const core::Json none = core::Json::array();
  const auto& ranges = std::cmp_less(unit, units.size()) ? units[unit] : none;
  const auto range = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const core::Json& r) { return r.at("dataset") == dataset_; });
  if (range == ranges.end() || range->at("first_row") != first_row) {
    throw core::InputError(path_, "its units are other sentences than the corpus's");
  }
  store::verify_range(path_, *range, bytes);
}

at::Tensor entry_ids(const store::CorpusShard& corpus, std::int64_t vocab_size,
                     std::int64_t first_entry) {
  at::Tensor ids = at::empty({corpus.entries()}, at::kLong);
  auto* id = ids.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < corpus.entry_starts.size(); ++i) {
    for (auto row = corpus.sentence_starts[i]; row < corpus.sentence_starts[i + 1]; ++row) {
      const auto token = corpus.target_tokens[row];
      if (token >= vocab_size) {
        throw core::InputError(
            fmt::format("line {} of the corpus holds token {}, outside the model's "
                        "vocabulary of {}",
                        corpus.line_numbers[i] + 1, token, vocab_size));
      }
      id[row] = core::pack_entry_id(
          static_cast<core::TokenId>(token),
          first_entry + corpus.entry_starts[i] + row - corpus.sentence_starts[i]);
    }
  }
  return ids;
}

}  // namespace knnseq::stages
