// Fused attention over padded sentences, as GPUs do it, against the kernels for CPUs.
#include <numeric>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "demo_model.hpp"
#include "model/layers/attention.hpp"
#include "model/layers/key_value_cache.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t attention_heads = 2;
constexpr std::int64_t attention_width = 48;

using Lengths = std::vector<std::int64_t>;

std::vector<std::int64_t> starts_of(const Lengths& lengths) {
  std::vector<std::int64_t> starts = {0};
  for (const auto length : lengths) starts.push_back(starts.back() + length);
  return starts;
}

PaddedLayout layout_of(const Lengths& lengths) {
  gpu::IntegerUpload upload;
  const LayoutPlan plan(starts_of(lengths), upload);
  return plan.take(upload.send(at::kCPU), at::kFloat);
}

std::vector<AttentionSegment> segments_of(const Lengths& queries, const Lengths& keys) {
  const auto q = starts_of(queries);
  const auto k = starts_of(keys);
  std::vector<AttentionSegment> segments;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    segments.push_back({q[i], q[i + 1], k[i], k[i + 1]});
  }
  return segments;
}

/// Large scores: the softmax is far from uniform.
at::Tensor random_rows(std::int64_t rows, std::int64_t parts) {
  return at::randn({rows, parts * attention_width}) * 3;
}

}  // namespace

TEST_CASE("fused self-attention gives what the kernels for CPUs give", "[model]") {
  at::manual_seed(11);
  for (const Lengths& lengths : {Lengths{5}, Lengths{1}, Lengths{7, 7, 7}, Lengths{1, 9, 33, 4, 9},
                                 Lengths{40, 1, 16, 17}}) {
    for (const bool causal : {false, true}) {
      const at::Tensor qkv = random_rows(std::reduce(lengths.begin(), lengths.end()), 3);
      const at::Tensor expected =
          attend({.queries = qkv.narrow(1, 0, attention_width),
                  .keys = qkv.narrow(1, attention_width, attention_width),
                  .values = qkv.narrow(1, 2 * attention_width, attention_width),
                  .heads = attention_heads,
                  .causal = causal},
                 segments_of(lengths, lengths));
      INFO(lengths.size() << " sentences, the first of " << lengths[0] << ", causal " << causal);
      CHECK(testing::relative_error(
                attend_to_self(qkv, layout_of(lengths), attention_heads, causal), expected) < 1e-5);
    }
  }
}

TEST_CASE("fused cross-attention gives what the kernels for CPUs give", "[model]") {
  at::manual_seed(12);
  struct Case {
    Lengths targets, sources;
  };
  for (const auto& [targets, sources] :
       {Case{{3}, {8}}, Case{{4, 4}, {6, 6}}, Case{{4, 4, 4}, {1, 20, 6}},
        Case{{2, 19, 5}, {7, 7, 7}}, Case{{1, 12, 3, 3}, {31, 2, 17, 1}}}) {
    const at::Tensor queries = random_rows(std::reduce(targets.begin(), targets.end()), 1);
    const at::Tensor kv = random_rows(std::reduce(sources.begin(), sources.end()), 2);
    const at::Tensor expected = attend({.queries = queries,
                                        .keys = kv.narrow(1, 0, attention_width),
                                        .values = kv.narrow(1, attention_width, attention_width),
                                        .heads = attention_heads},
                                       segments_of(targets, sources));
    const PaddedLayout source = layout_of(sources);
    const at::Tensor made =
        attend_to_source(queries, layout_of(targets), source.pad(kv), source, attention_heads);
    INFO(targets.size() << " sentences, the first of " << targets[0]);
    CHECK(testing::relative_error(made, expected) < 1e-5);
  }
}

TEST_CASE("padding and back is nothing, and costs nothing for equal lengths", "[model]") {
  const PaddedLayout ragged = layout_of({2, 5, 1});
  const at::Tensor rows = at::randn({8, 3});
  CHECK(ragged.pad(rows).sizes() == at::IntArrayRef({3, 5, 3}));
  CHECK(ragged.unpad(ragged.pad(rows)).equal(rows));
  CHECK(ragged.mask().isfinite().sum().item<std::int64_t>() == 8);
  const PaddedLayout equal = layout_of({4, 4});
  CHECK(equal.pad(rows).is_alias_of(rows));
  CHECK(equal.unpad(equal.pad(rows)).is_alias_of(rows));
  CHECK_FALSE(equal.mask().defined());
}

TEST_CASE("a cache grows and follows its rows", "[model]") {
  constexpr std::int64_t layers = 2;
  KeyValueCache cache(layers);
  std::vector<std::vector<float>> expected(3);  // one number a step for each row
  for (std::int64_t step = 0; step < 40; ++step) {
    const auto rows = std::ssize(expected);
    const at::Tensor now = at::arange(rows, at::kFloat).add_(100.0 * static_cast<double>(step));
    for (std::int64_t row = 0; row < rows; ++row) {
      expected[row].push_back(now[row].item<float>());
    }
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const at::Tensor of_layer = now + 1000.0 * static_cast<double>(layer);
      const at::Tensor all = cache.append(layer, of_layer.unsqueeze(1).expand({rows, 4}));
      REQUIRE(all.sizes() == at::IntArrayRef({step + 1, rows, 4}));
      for (std::int64_t row = 0; row < rows; ++row) {
        const at::Tensor own = at::tensor(expected[row]) + 1000.0 * static_cast<double>(layer);
        CHECK(all.select(1, row).select(1, 3).equal(own));
      }
    }
    if (step % 3 != 2) continue;
    const std::vector<std::int64_t> from =
        step % 2 == 0 ? std::vector<std::int64_t>{2, 0, 0, 1} : std::vector<std::int64_t>{1, 2, 0};
    std::vector<std::vector<float>> moved;
    for (const auto row : from) moved.push_back(expected[row]);
    expected = std::move(moved);
    cache.reorder(at::tensor(from, at::kLong));
  }
}

}  // namespace knnseq::model
