// Sentences that lie one after another, seen as a rectangle, which fused attention wants.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "gpu/integer_upload.hpp"

namespace knnseq::model {

/// One side of a batch, made once for all layers. If all sentences are equally long nothing is
/// moved: the rectangle is the packed rows themselves.
struct PaddedLayout {
  std::int64_t sentences = 0;
  std::int64_t longest = 0;
  at::Tensor row_of_place;  ///< [sentences·longest] int64, for padding any row; undefined: equal
  at::Tensor place_of_row;  ///< [rows] int64; undefined: equal lengths
  /// [sentences, longest rounded up], 0 for tokens and −∞ for padding; undefined: equal lengths.
  at::Tensor mask_rows;

  /// [sentences, 1, 1, longest] as fused attention takes it; undefined: equal lengths.
  at::Tensor mask() const;

  /// Packed rows [rows, width] as [sentences, longest, width]; padding holds arbitrary values.
  at::Tensor pad(const at::Tensor& packed) const;

  /// The inverse of pad().
  at::Tensor unpad(const at::Tensor& rectangle) const;
};

/// The host's half of a layout: computes the lists and adds them to a batch's upload.
class LayoutPlan {
 public:
  /// `starts` are PackedTokens'.
  LayoutPlan(std::span<const std::int64_t> starts, gpu::IntegerUpload& upload);

  /// The layout, of what `upload` has sent. `dtype` is the mask's, that of queries and keys.
  PaddedLayout take(const std::vector<at::Tensor>& sent, at::ScalarType dtype) const;

 private:
  PaddedLayout layout_;  ///< without its tensors
  bool equal_ = true;
  std::size_t row_of_place_ = 0;  ///< numbers of lists in the upload
  std::size_t place_of_row_ = 0;
  std::size_t lengths_ = 0;
};

}  // namespace knnseq::model
