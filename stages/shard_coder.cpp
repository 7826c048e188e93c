#include "stages/shard_coder.hpp"

#include "index/index_builder.hpp"

namespace knnseq::stages {

namespace {

template <class T>
std::span<T> values_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

void ShardCoder::open_shard(const store::CorpusShard& corpus, std::int64_t shard) {
  corpus_ = &corpus;
  if (source_.encoder == nullptr) keys_.emplace(source_.folder, shard, source_.dataset);
}

std::int64_t ShardCoder::rows() const {
  return source_.rows == CodedRows::entries ? corpus_->entries() : corpus_->sentences();
}

core::Range ShardCoder::rows_of(core::Range batches) const {
  return source_.rows == CodedRows::entries ? corpus_->entries_of(batches)
                                            : corpus_->sentences_of(batches);
}

std::vector<store::DatasetSpec> ShardCoder::layout() const {
  const auto& spec = coder_.codebook().spec;
  std::vector<store::DatasetSpec> datasets = {
      {"codes",
       store::DataType::uint8,
       {rows(), spec.code_bytes()},
       {{"description", "codes of " + spec.factory() + ", one a row"}}}};
  if (spec.has_lists()) {
    datasets.push_back({"lists", store::DataType::int32, {rows()}, {}});
  }
  return datasets;
}

void ShardCoder::code_unit(std::int64_t unit, core::Range batches, store::ShardFile& file) const {
  const auto rows = rows_of(batches);
  const at::Tensor keys = keys_
                              ? keys_->read(unit, rows, coder_.device())
                              : source_.encoder->encode(*corpus_, batches).keys.to(coder_.device());
  const bool has_lists = coder_.codebook().spec.has_lists();
  std::vector<at::Tensor> lists, codes;
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    const auto of_batch = rows_of({batch, batch + 1});
    const at::Tensor rotated =
        coder_.rotate(keys.slice(0, of_batch.begin - rows.begin, of_batch.end - rows.begin));
    if (has_lists) lists.push_back(coder_.assign_exact(rotated));
    codes.push_back(coder_.encode(rotated, has_lists ? lists.back() : at::Tensor()));
  }
  if (has_lists) {
    file.write("lists", rows.begin,
               std::span<const std::int32_t>(values_of<std::int32_t>(at::cat(lists).cpu())));
  }
  file.write("codes", rows.begin,
             std::span<const std::uint8_t>(values_of<std::uint8_t>(at::cat(codes).cpu())));
}

void ShardCoder::write_index(const std::filesystem::path& coded, const std::filesystem::path& index,
                             const at::Tensor& ids) const {
  const auto file = store::Hdf5File::open_for_reading(coded);
  const auto n = rows();
  const auto& spec = coder_.codebook().spec;
  index::CodedEntries entries{{}, at::empty({n, spec.code_bytes()}, at::kByte), ids};
  if (spec.has_lists()) {
    entries.lists = at::empty({n}, at::kInt);
    file.read_rows("lists", 0, values_of<std::int32_t>(entries.lists));
  }
  file.read_rows("codes", 0, values_of<std::uint8_t>(entries.codes));
  index::write_local_index(index, coder_.codebook(), entries);
}

}  // namespace knnseq::stages
