#include "model/transformer/transformer_state_torch.hpp"

#include <utility>

#include <ATen/ATen.h>

#include "model/base/row_groups.hpp"

namespace knnseq::model {

namespace {

bool is_identity(std::span<const std::int64_t> numbers, std::int64_t count) {
  if (std::ssize(numbers) != count) return false;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

/// `first`, if any, and then `then`.
std::vector<std::int64_t> joined(const std::optional<std::vector<std::int64_t>>& first,
                                 std::span<const std::int64_t> then) {
  std::vector<std::int64_t> made;
  for (const std::int64_t number : then) {
    made.push_back(first ? (*first)[number] : number);
  }
  return made;
}

}  // namespace

void reorder_state(TransformerStateTorch& state, std::span<const std::int64_t> rows) {
  const RowGroups groups = group_rows(rows, state.rows(), state.beams);
  if (!is_identity(rows, state.rows())) state.rows_from = joined(state.rows_from, rows);
  if (!is_identity(groups.sentences, state.sentences)) {
    state.sentences_from = joined(state.sentences_from, groups.sentences);
  }
  state.sentences = std::ssize(groups.sentences);
  state.beams = groups.beams;
}

StateMove::StateMove(const TransformerStateTorch& state, gpu::IntegerUpload& upload) {
  if (state.rows_from) rows_ = upload.add(*state.rows_from);
  if (state.sentences_from) sentences_ = upload.add(*state.sentences_from);
}

void StateMove::apply(TransformerStateTorch& state, const std::vector<at::Tensor>& sent) const {
  if (rows_) state.past.reorder(sent[*rows_]);
  if (sentences_) {
    const at::Tensor& stay = sent[*sentences_];
    for (auto& layer : state.cross_kv) layer = layer.index_select(0, stay);
    at::Tensor& mask = state.source.mask_rows;
    if (mask.defined()) mask = mask.index_select(0, stay);
    state.source.sentences = stay.size(0);
  }
  state.rows_from.reset();
  state.sentences_from.reset();
}

}  // namespace knnseq::model
