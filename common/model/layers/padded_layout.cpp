#include "model/layers/padded_layout.hpp"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

namespace knnseq::model {

namespace {

/// [sentences, longest rounded up to a multiple of 16]: libtorch's kernels for masks want rows that
/// far apart, and would else copy the mask in every layer.
at::Tensor make_mask(const at::Tensor& lengths, std::int64_t longest, at::ScalarType dtype) {
  constexpr std::int64_t alignment = 16;
  const std::int64_t stride = (longest + alignment - 1) / alignment * alignment;
  const at::Tensor places = at::arange(stride, lengths.options());
  const at::Tensor padding = places.unsqueeze(0) >= lengths.unsqueeze(1);
  return at::zeros({lengths.size(0), stride}, lengths.options().dtype(dtype))
      .masked_fill_(padding, -std::numeric_limits<float>::infinity());
}

}  // namespace

at::Tensor PaddedLayout::mask() const {
  if (!mask_rows.defined()) return {};
  const std::int64_t stride = mask_rows.size(1);
  return mask_rows.as_strided({sentences, 1, 1, longest}, {stride, stride, stride, 1});
}

at::Tensor PaddedLayout::pad(const at::Tensor& packed) const {
  const at::Tensor placed = row_of_place.defined() ? packed.index_select(0, row_of_place) : packed;
  return placed.view({sentences, longest, packed.size(1)});
}

at::Tensor PaddedLayout::unpad(const at::Tensor& rectangle) const {
  const at::Tensor places = rectangle.reshape({sentences * longest, rectangle.size(2)});
  return place_of_row.defined() ? places.index_select(0, place_of_row) : places;
}

LayoutPlan::LayoutPlan(std::span<const std::int64_t> starts, gpu::IntegerUpload& upload) {
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) lengths.push_back(starts[i + 1] - starts[i]);
  layout_.sentences = std::ssize(lengths);
  layout_.longest = lengths.empty() ? 0 : std::ranges::max(lengths);
  equal_ = layout_.sentences * layout_.longest == starts.back();
  if (equal_) return;
  std::vector<std::int64_t> row_of_place;
  std::vector<std::int64_t> place_of_row;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    for (std::int64_t place = 0; place < layout_.longest; ++place) {
      if (place < lengths[i]) place_of_row.push_back(std::ssize(row_of_place));
      row_of_place.push_back(starts[i] + std::min(place, lengths[i] - 1));
    }
  }
  row_of_place_ = upload.add(row_of_place);
  place_of_row_ = upload.add(place_of_row);
  lengths_ = upload.add(lengths);
}

PaddedLayout LayoutPlan::take(const std::vector<at::Tensor>& sent, at::ScalarType dtype) const {
  PaddedLayout layout = layout_;
  if (equal_) return layout;
  layout.row_of_place = sent[row_of_place_];
  layout.place_of_row = sent[place_of_row_];
  layout.mask_rows = make_mask(sent[lengths_], layout.longest, dtype);
  return layout;
}

}  // namespace knnseq::model
