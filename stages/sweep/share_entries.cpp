#include "stages/sweep/share_entries.hpp"

#include <utility>

#include "core/entry_id.hpp"
#include "stages/sweep/share.hpp"

namespace knnseq::stages {

void ShareEntries::add(const KeyUnit& unit) {
  const auto* ids = unit.ids.const_data_ptr<std::int64_t>();
  for (const auto batch : unit.batches) {
    std::vector<std::int64_t> rows;
    for (auto row = batch.begin; row < batch.end; ++row) {
      if (in_share(core::entry_number_of(ids[row]), share_)) rows.push_back(row);
    }
    if (!rows.empty()) add_rows(unit, at::tensor(rows, at::kLong));
  }
}

void ShareEntries::add_rows(const KeyUnit& unit, const at::Tensor& rows) {
  const at::Tensor rotated = coder_.rotate(unit.keys.index_select(0, rows).to(coder_.device()));
  at::Tensor lists;
  if (coder_.codebook().spec.has_lists()) {
    lists = coder_.assign_exact(rotated);
    lists_.push_back(lists.cpu());
  }
  codes_.push_back(coder_.encode(rotated, lists).cpu());
  ids_.push_back(unit.ids.index_select(0, rows));
}

index::CodedEntries ShareEntries::take() {
  const auto& spec = coder_.codebook().spec;
  index::CodedEntries all{spec.has_lists() ? at::empty({0}, at::kInt) : at::Tensor(),
                          at::empty({0, spec.code_bytes()}, at::kByte), at::empty({0}, at::kLong)};
  if (ids_.empty()) return all;
  if (spec.has_lists()) all.lists = at::cat(std::exchange(lists_, {}));
  all.codes = at::cat(std::exchange(codes_, {}));
  all.ids = at::cat(std::exchange(ids_, {}));
  return all;
}

}  // namespace knnseq::stages
