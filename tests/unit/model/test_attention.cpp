// All attention kernels of this CPU against plain tensor operations in double.
#include <cmath>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "demo_model.hpp"
#include "model/layers/attention.hpp"
#include "model/layers/attention_kernel.hpp"

namespace knnseq::model {

namespace {

at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           bool causal) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(1)));
  at::Tensor scores = q.to(at::kDouble).matmul(k.to(at::kDouble).t()) * scale;
  if (causal) {
    const at::Tensor hidden = at::ones_like(scores).triu(1).to(at::kBool);
    scores.masked_fill_(hidden, -INFINITY);
  }
  return scores.softmax(-1).matmul(v.to(at::kDouble));
}

}  // namespace

TEST_CASE("attention kernels agree with plain tensor operations", "[model]") {
  at::manual_seed(7);
  struct Shape {
    std::int64_t queries, keys, width;
    bool causal;
  };
  const std::vector<Shape> shapes = {{1, 1, 64, false},    {3, 5, 64, false},  {7, 33, 64, false},
                                     {64, 65, 32, false},  {1, 1, 64, true},   {9, 9, 64, true},
                                     {70, 70, 64, true},   {5, 40, 40, false}, {6, 6, 7, true},
                                     {200, 200, 128, true}};
  for (const AttentionKernel& kernel : attention_kernels()) {
    for (const Shape& shape : shapes) {
      INFO(core::to_string(kernel.set)
           << ": " << shape.queries << " queries, " << shape.keys << " keys, width " << shape.width
           << (shape.causal ? ", causal" : ""));
      // Large scores: the softmax is far from uniform.
      const at::Tensor q = at::randn({shape.queries, shape.width}) * 3;
      const at::Tensor k = at::randn({shape.keys, shape.width}) * 3;
      const at::Tensor v = at::randn({shape.keys, shape.width});
      at::Tensor out = at::full({shape.queries, shape.width}, NAN);
      std::vector<float> scratch(attention_scratch(shape.keys, shape.width));
      kernel.attend({.queries = {q.const_data_ptr<float>(), shape.width},
                     .keys = {k.const_data_ptr<float>(), shape.width},
                     .values = {v.const_data_ptr<float>(), shape.width},
                     .out = out.mutable_data_ptr<float>(),
                     .out_stride = shape.width,
                     .query_count = shape.queries,
                     .key_count = shape.keys,
                     .head_width = shape.width,
                     .causal = shape.causal},
                    scratch.data());
      CHECK(testing::largest_difference(out, plain_attention(q, k, v, shape.causal)) < 2e-5);

      std::vector<const float*> keys;
      std::vector<const float*> values;
      for (std::int64_t j = 0; j < shape.keys; ++j) {
        keys.push_back(k.const_data_ptr<float>() + j * shape.width);
        values.push_back(v.const_data_ptr<float>() + j * shape.width);
      }
      at::Tensor single = at::full({1, shape.width}, NAN);
      kernel.attend_chain({.query = q.const_data_ptr<float>(),
                           .keys = keys.data(),
                           .values = values.data(),
                           .out = single.mutable_data_ptr<float>(),
                           .count = shape.keys,
                           .head_width = shape.width},
                          scratch.data());
      CHECK(testing::largest_difference(single, plain_attention(q.narrow(0, 0, 1), k, v, false)) <
            2e-5);
    }
  }
}

TEST_CASE("segments and heads do not mix, and rows outside are zero", "[model]") {
  at::manual_seed(8);
  constexpr std::int64_t heads = 2;
  constexpr std::int64_t width = 32;
  const at::Tensor qkv = at::randn({12, 3 * width});
  const std::vector<AttentionSegment> segments = {{0, 4, 3, 9}, {4, 9, 0, 3}};
  const at::Tensor out = attend({.queries = qkv.narrow(1, 0, width),
                                 .keys = qkv.narrow(1, width, width),
                                 .values = qkv.narrow(1, 2 * width, width),
                                 .heads = heads},
                                segments);
  for (const auto& [query_begin, query_end, key_begin, key_end] : segments) {
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::int64_t column = head * width / heads;
      const auto piece = [&](const at::Tensor& x, std::int64_t part, std::int64_t begin,
                             std::int64_t end) {
        return x.narrow(0, begin, end - begin).narrow(1, part * width + column, width / heads);
      };
      const at::Tensor exact =
          plain_attention(piece(qkv, 0, query_begin, query_end), piece(qkv, 1, key_begin, key_end),
                          piece(qkv, 2, key_begin, key_end), false);
      CHECK(testing::largest_difference(piece(out, 0, query_begin, query_end), exact) < 1e-5);
    }
  }
  CHECK(out.narrow(0, 9, 3).abs().max().item<double>() == 0.0);
}

}  // namespace knnseq::model
