#include <catch2/catch.hpp>

#include "index/faiss_io/crowded_entries.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

/// The vectors that stand alone, and then one vector for each of `copies`, so often.
at::Tensor vectors(std::int64_t alone, const std::vector<std::int64_t>& copies) {
  std::vector<at::Tensor> all = {test::normal(alone, 16, 1)};
  const at::Tensor repeated = test::normal(std::ssize(copies), 16, 2);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    all.push_back(repeated.narrow(0, at, 1).repeat({copies[i], 1}));
  }
  return at::cat(all);
}

std::int64_t crowded(const std::string& factory, const at::Tensor& keys) {
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, 16));
  const auto entries = test::coded_entries(codebook, keys);
  return index::count_crowded(codebook.spec, index::span_of<std::uint8_t>(entries.codes));
}

}  // namespace

TEST_CASE("entries of a graph count as crowded if more are equal than a node has links") {
  CHECK(crowded("HNSW4", vectors(50, {})) == 0);
  CHECK(crowded("HNSW4", vectors(50, {8})) == 0);
  CHECK(crowded("HNSW4", vectors(50, {9})) == 9);
  CHECK(crowded("HNSW4", vectors(50, {9, 2, 30})) == 39);
  CHECK(crowded("PCA8,HNSW4", vectors(50, {9, 2, 30})) == 39);
  CHECK(crowded("HNSW16", vectors(50, {9, 2, 30})) == 0);
  CHECK(crowded("Flat", vectors(50, {30})) == 0);
  CHECK(crowded("HNSW4", vectors(0, {9})) == 9);
  CHECK(crowded("HNSW4", vectors(0, {})) == 0);
}

TEST_CASE("the warning has number, share, links and what to use instead") {
  const auto spec = index::parse_index_spec("HNSW16", 16);
  CHECK(index::warning_of_crowd(spec, 0, 5000).empty());
  CHECK_THAT(index::warning_of_crowd(spec, 1500, 5000),
             Catch::Contains("1,500 of 5,000 entries (30.0 %)") &&
                 Catch::Contains("more than 32 times") && Catch::Contains("HNSW16") &&
                 Catch::Contains("use Flat or IVFn lists"));
}
