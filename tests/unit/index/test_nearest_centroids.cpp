#include <limits>

#include <ATen/Parallel.h>
#include <catch2/catch.hpp>

#include "index/quantize/nearest_centroids.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/simd/simd_kernels.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

/// More centroids than one tile holds, some of them twice: 1,300 in all, the last 100 copies.
at::Tensor many_centroids() {
  const at::Tensor some = test::normal(1200, 16, 7);
  return at::cat({some, some.slice(0, 300, 400)});
}

}  // namespace

TEST_CASE("the nearest of many centroids, over several tiles, ties to the lowest") {
  const at::Tensor centroids = many_centroids();
  const at::Tensor x = at::cat({test::normal(1500, 16, 8), centroids.slice(0, 1150, 1300)});
  const at::Tensor got = index::CentroidScan(centroids).nearest(x);
  const at::Tensor distances = at::cdist(x.to(at::kDouble), centroids.to(at::kDouble));
  const at::Tensor least = std::get<0>(distances.min(1));
  const at::Tensor of_got = distances.gather(1, got.to(at::kLong).unsqueeze(1)).squeeze(1);
  CHECK(at::allclose(of_got, least, 0, 1e-5));
  CHECK((got.max() < 1200).item<bool>());  // never the copy that follows the original
  CHECK((got.slice(0, 1500, 1550) == at::arange(1150, 1200)).all().item<bool>());
  CHECK((got.slice(0, 1550, 1650) == at::arange(300, 400)).all().item<bool>());
}

TEST_CASE("probes over several tiles are the nearest lists in the order of (distance, list)") {
  index::Codebook codebook;
  codebook.spec = index::parse_index_spec("IVF1300,PQ4", 16);
  codebook.coarse_centroids = many_centroids();
  codebook.pq_centroids = at::zeros({4, 256, 4});
  const at::Tensor x = test::normal(40, 16, 9);
  const auto probes = index::VectorQuantizer(codebook).probe(x, 50);
  const at::Tensor distances =
      at::cdist(x.to(at::kDouble), codebook.coarse_centroids.to(at::kDouble)).square();
  const at::Tensor sorted = std::get<0>(distances.sort(1)).slice(1, 0, 50);
  CHECK(at::allclose(probes.distances.to(at::kDouble), sorted, 1e-5, 1e-5));
  CHECK(at::allclose(distances.gather(1, probes.lists), sorted, 1e-5, 1e-5));
  const auto* list = probes.lists.const_data_ptr<std::int64_t>();
  const auto* distance = probes.distances.const_data_ptr<float>();
  bool in_order = true;
  for (std::int64_t i = 0; i < probes.lists.numel(); ++i) {
    if (i % 50 == 0) continue;
    in_order = in_order && (distance[i - 1] < distance[i] ||
                            (distance[i - 1] == distance[i] && list[i - 1] < list[i]));
  }
  CHECK(in_order);
}

TEST_CASE("scores of a panel, their minima and marks are those of plain loops") {
  constexpr std::int64_t d = 19;
  constexpr std::int64_t count = 131;
  constexpr std::int64_t groups = 40;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  at::Tensor centroids = test::normal(count, d, 3);
  centroids[7][2] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor norms = (centroids * centroids).sum(1);
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    const index::NearestKernel& kernel = kernels.nearest;
    for (const std::int64_t wanted : {1, 5, 13, 30, 64}) {
      const std::int64_t rows = kernel.score_panel_rows(wanted);
      INFO(core::to_string(kernels.set) << ", rows " << rows);
      CHECK((rows >= wanted || rows == kernel.panel_rows));
      const at::Tensor x = test::normal(rows, d, 4);
      const at::Tensor columns = x.t().contiguous();
      std::vector<float> scores(count * rows), minima(groups * rows), limits(rows, 10);
      std::vector<std::uint8_t> marks(count * rows, 9);
      const index::ScorePanel panel{.columns = columns.const_data_ptr<float>(),
                                    .rows = rows,
                                    .d = d,
                                    .centroids = centroids.const_data_ptr<float>(),
                                    .norms = norms.const_data_ptr<float>(),
                                    .count = count,
                                    .groups = groups,
                                    .scores = scores.data(),
                                    .minima = minima.data(),
                                    .limits = limits.data(),
                                    .marks = marks.data()};
      kernel.score(panel);
      kernel.mark(panel);
      const at::Tensor plain = (norms.unsqueeze(1) - 2 * at::mm(centroids, columns))
                                   .nan_to_num(/*nan=*/infinity, /*posinf=*/infinity);
      const at::Tensor got = at::from_blob(scores.data(), {count, rows}, at::kFloat);
      CHECK(at::allclose(got, plain, 1e-4, 1e-4));
      std::int64_t wrong = 0;
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t g = 0; g < groups; ++g) {
          float least = infinity;
          for (std::int64_t c = g; c < count; c += groups) {
            least = std::min(least, scores[c * rows + row]);
          }
          wrong += minima[g * rows + row] == least ? 0 : 1;
        }
        for (std::int64_t c = 0; c < count; ++c) {
          wrong += marks[c * rows + row] == (scores[c * rows + row] <= 10 ? 1 : 0) ? 0 : 1;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("codes do not depend on the number of threads") {
  const at::Tensor centroids = test::normal(4 * 256, 4, 11).view({4, 256, 4});
  const at::Tensor x = test::normal(5000, 16, 10);
  const index::ProductQuantizer quantizer(centroids);
  const auto codes_with = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const at::Tensor codes = quantizer.encode(x);
    at::set_num_threads(before);
    return codes;
  };
  CHECK(at::equal(codes_with(4), codes_with(1)));
}
