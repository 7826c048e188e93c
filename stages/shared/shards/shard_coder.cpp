#include "stages/shared/shards/shard_coder.hpp"

#include <memory>

#include <fmt/format.h>

#include "core/error.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/faiss_io/index_builder.hpp"
#include "obs/resources.hpp"
#include "stages/shared/shards/batch_clock.hpp"
#include "stages/shared/shards/compute_thread.hpp"

namespace knnseq::stages {

namespace {

template <class T>
std::span<T> values_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

void ShardCoder::open_shard(const store::CorpusShard& corpus, std::int64_t shard) {
  corpus_ = &corpus;
  if (source_.encoder != nullptr) {
    source_.encoder->require_corpus(corpus);
    return;
  }
  keys_.emplace(source_.folder, shard, source_.dataset);
  if (keys_->width() == coder_.codebook().spec.d_in) return;
  throw core::InputError(source_.folder,
                         fmt::format("its {} have width {}, the codebook is for width {}",
                                     source_.dataset, keys_->width(), coder_.codebook().spec.d_in));
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

ShardCoder::Unit ShardCoder::empty_unit(core::Range rows) const {
  const auto& spec = coder_.codebook().spec;
  Unit unit;
  unit.rows = rows;
  unit.codes = copies_.buffer({rows.size(), spec.code_bytes()}, at::kByte);
  if (spec.has_lists()) unit.lists = copies_.buffer({rows.size()}, at::kInt);
  if (!keys_) unit.finite = copies_.buffer({rows.size()}, at::kBool);
  return unit;
}

void ShardCoder::code_batch(std::int64_t batch, at::Tensor keys, Unit& unit) {
  const auto rows = rows_of({batch, batch + 1});
  const auto copy = [&](const at::Tensor& to, const at::Tensor& from) {
    copies_.copy(to.narrow(0, rows.begin - unit.rows.begin, rows.size()), from);
  };
  if (!keys.defined()) {
    keys = source_.encoder->encode_batch(*corpus_, batch).keys.to(coder_.device());
    copy(unit.finite, at::isfinite(keys).all(1));
  }
  const at::Tensor rotated = coder_.rotate(keys);
  at::Tensor lists;
  if (unit.lists.defined()) {
    lists = coder_.assign_exact(rotated);
    copy(unit.lists, lists);
  }
  copy(unit.codes, coder_.encode(rotated, lists));
}

runtime::ComputedUnit ShardCoder::compute_unit(std::int64_t unit, core::Range batches,
                                               const runtime::Abandoned& abandoned) {
  const ComputeThread thread(coder_.device());
  const auto coded = std::make_shared<Unit>(empty_unit(rows_of(batches)));
  const obs::Stopwatch watch;
  at::Tensor keys;
  if (keys_) keys = keys_->read(unit, coded->rows, coder_.device());
  const double reading = keys_ ? watch.seconds() : 0;
  const auto clock = std::make_shared<BatchClock>(coder_.device());
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    runtime::give_up_if(abandoned);
    clock->begin();
    const auto rows = rows_of({batch, batch + 1});
    const auto first = rows.begin - coded->rows.begin;
    code_batch(batch, keys_ ? keys.narrow(0, first, rows.size()) : at::Tensor(), *coded);
    clock->end();
  }
  return {copies_.arrival(), [this, coded, clock, reading](store::ShardFile& file) {
            write_unit(*coded, file);
            cost_.reading += reading;
            cost_.computing += clock->seconds();
          }};
}

void ShardCoder::write_unit(const Unit& unit, store::ShardFile& file) const {
  if (unit.finite.defined())
    require_finite(unit.finite, *corpus_, unit.rows.begin, source_.encoder->key_type());
  if (unit.lists.defined()) {
    file.write("lists", unit.rows.begin,
               std::span<const std::int32_t>(values_of<std::int32_t>(unit.lists)));
  }
  file.write("codes", unit.rows.begin,
             std::span<const std::uint8_t>(values_of<std::uint8_t>(unit.codes)));
}

std::int64_t ShardCoder::write_index(const std::filesystem::path& coded,
                                     const std::filesystem::path& index,
                                     const at::Tensor& ids) const {
  const auto file = store::Hdf5File::open_for_reading(coded);
  const auto n = rows();
  const auto& spec = coder_.codebook().spec;
  index::CodedEntries entries{{}, at::empty({n, spec.code_bytes()}, at::kByte), ids};
  if (spec.has_lists()) {
    entries.lists = at::empty({n}, at::kInt);
    file.read_rows("lists", 0, values_of<std::int32_t>(entries.lists));
    if (n > 0 &&
        (entries.lists.min().item<int>() < 0 || entries.lists.max().item<int>() >= spec.nlist)) {
      throw core::InputError(coded, "holds lists that the index does not have");
    }
  }
  file.read_rows("codes", 0, values_of<std::uint8_t>(entries.codes));
  index::write_local_index(index, coder_.codebook(), entries);
  return index::count_crowded(spec, index::span_of<std::uint8_t>(entries.codes));
}

}  // namespace knnseq::stages
