#include "stages/add/shard_coder.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "index/index_builder.hpp"
#include "runtime/shard_jobs.hpp"

namespace knnseq::stages {

namespace {

template <class T>
std::span<T> values_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

/// The ids of the shard's rows; tokens and entry numbers are checked against what an id can hold.
at::Tensor entry_ids(const store::CorpusShard& corpus, std::int64_t vocab_size,
                     std::int64_t first_entry) {
  at::Tensor ids = at::empty({corpus.entries()}, at::kLong);
  auto* id = ids.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < corpus.entry_starts.size(); ++i) {
    for (auto row = corpus.sentence_starts[i]; row < corpus.sentence_starts[i + 1]; ++row) {
      const auto token = corpus.target_tokens[static_cast<std::size_t>(row)];
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

}  // namespace

void ShardCoder::open_shard(const store::CorpusShard& corpus, std::int64_t shard) {
  corpus_ = &corpus;
  keys_path_ = datastore_ / (runtime::shard_name(shard) + ".h5");
  manifest_ = runtime::read_shard_manifest(datastore_, shard);
}

std::vector<store::DatasetSpec> ShardCoder::layout() const {
  const auto& spec = coder_.codebook().spec;
  std::vector<store::DatasetSpec> datasets = {
      {"codes", store::DataType::uint8, {corpus_->entries(), spec.code_bytes()}, {}}};
  if (spec.has_lists()) {
    datasets.push_back({"lists", store::DataType::int32, {corpus_->entries()}, {}});
  }
  return datasets;
}

void ShardCoder::code_unit(std::int64_t unit, core::Range batches, store::ShardFile& file) const {
  const auto rows = corpus_->entries_of(batches);
  const auto keys_file = store::Hdf5File::open_for_reading(keys_path_);
  const at::Tensor keys = at::empty({rows.size(), coder_.codebook().spec.d_in}, at::kHalf);
  const auto half = values_of<at::Half>(keys);
  keys_file.read_rows("keys", rows.begin, half);
  const auto& ranges = manifest_.at("units").at(static_cast<std::size_t>(unit));
  const auto range = std::find_if(ranges.begin(), ranges.end(),
                                  [](const core::Json& r) { return r.at("dataset") == "keys"; });
  KNNSEQ_ASSERT(range != ranges.end() && range->at("first_row") == rows.begin,
                "units of add and encode differ");
  store::verify_range(keys_path_, *range, std::as_bytes(half));

  const bool has_lists = coder_.codebook().spec.has_lists();
  std::vector<at::Tensor> lists, codes;
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    const auto of_batch = corpus_->entries_of({batch, batch + 1});
    const at::Tensor rotated =
        coder_.rotate(keys.slice(0, of_batch.begin - rows.begin, of_batch.end - rows.begin));
    if (has_lists) lists.push_back(coder_.assign_exact(rotated));
    codes.push_back(coder_.encode(rotated, has_lists ? lists.back() : at::Tensor()));
  }
  if (has_lists) {
    file.write("lists", rows.begin,
               std::span<const std::int32_t>(values_of<std::int32_t>(at::cat(lists))));
  }
  file.write("codes", rows.begin,
             std::span<const std::uint8_t>(values_of<std::uint8_t>(at::cat(codes))));
}

void ShardCoder::write_index(const std::filesystem::path& coded, const std::filesystem::path& index,
                             std::int64_t vocab_size) const {
  const auto file = store::Hdf5File::open_for_reading(coded);
  const auto n = corpus_->entries();
  const auto& spec = coder_.codebook().spec;
  index::CodedEntries entries{{},
                              at::empty({n, spec.code_bytes()}, at::kByte),
                              entry_ids(*corpus_, vocab_size, first_entry_)};
  if (spec.has_lists()) {
    entries.lists = at::empty({n}, at::kInt);
    file.read_rows("lists", 0, values_of<std::int32_t>(entries.lists));
  }
  file.read_rows("codes", 0, values_of<std::uint8_t>(entries.codes));
  index::write_local_index(index, coder_.codebook(), entries);
}

}  // namespace knnseq::stages
