// Vectors, PQ centroids and what the CPU makes of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "comm/self_communicator.hpp"
#include "core/random.hpp"
#include "gpu/pq_codes.hpp"
#include "index/faiss_io/coded_entries.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/sample/cluster_sums.hpp"
#include "support/normal.hpp"

namespace knnseq::test {

struct PqShape {
  std::int64_t n = 0;
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::int64_t centroids = 256;
  std::int64_t different_centroids = 0;  ///< the others repeat them; 0: all differ
};

struct PqCase {
  PqShape shape;
  std::vector<float> x;  ///< [n, m · dsub]
  at::Tensor centroids;  ///< [m, centroids, dsub]
  index::PqTables tables;
  double scale = 0;
};

struct PqOutcome {
  std::vector<std::uint8_t> codes;   ///< [n, m]
  std::vector<std::int64_t> sums;    ///< [m, centroids, dsub]
  std::vector<std::int64_t> counts;  ///< [m, centroids]
};

/// Multiples of 1/64 of small magnitude, so that distances are exact in fp32 and whether a
/// processor rounds products before it adds them makes no difference; ties are then common.
inline std::vector<float> draw_exact(std::int64_t count, core::Random& random) {
  std::vector<float> values(count);
  for (float& value : values) {
    value =
        static_cast<float>(std::clamp(std::round(64 * test::normal(random)), -200.0, 200.0) / 64);
  }
  return values;
}

inline index::FixedPoint fixed_point_of(const PqShape& shape) { return {4.0, 2 * shape.n}; }

inline PqCase make_pq_case(const PqShape& shape) {
  core::Random random(static_cast<std::uint64_t>(shape.n + 1000 * shape.dsub));
  PqCase test{shape, draw_exact(shape.n * shape.m * shape.dsub, random), {}, {}, 0};
  auto centroids = draw_exact(shape.m * shape.centroids * shape.dsub, random);
  if (shape.different_centroids > 0) {
    for (std::int64_t i = 0; i < shape.m * shape.centroids; ++i) {
      const std::int64_t from =
          i / shape.centroids * shape.centroids + i % shape.centroids % shape.different_centroids;
      std::copy_n(centroids.begin() + from * shape.dsub, shape.dsub,
                  centroids.begin() + i * shape.dsub);
    }
  }
  test.centroids = at::tensor(centroids).view({shape.m, shape.centroids, shape.dsub});
  test.tables = index::make_pq_tables(test.centroids);
  test.scale = fixed_point_of(shape).scale();
  return test;
}

inline PqOutcome no_outcome(const PqCase& test) {
  const PqShape& shape = test.shape;
  const auto clusters = static_cast<std::size_t>(shape.m * shape.centroids);
  return {std::vector<std::uint8_t>(shape.n * shape.m, 0),
          std::vector<std::int64_t>(clusters * static_cast<std::size_t>(shape.dsub), 0),
          std::vector<std::int64_t>(clusters, 0)};
}

inline PqOutcome assign_on_cpu(const PqCase& test) {
  const PqShape& shape = test.shape;
  PqOutcome outcome = no_outcome(test);
  const auto self = comm::make_self_communicator();
  index::ClusterSums sums(*self, fixed_point_of(shape), shape.m * shape.centroids, shape.dsub);
  const at::Tensor x = at::tensor(test.x).view({shape.n, shape.m * shape.dsub});
  const std::vector<at::Tensor> codes = {at::empty({shape.n, shape.m}, at::kByte)};
  index::ProductQuantizer(test.centroids).encode_and_sum({&x, 1}, sums, &codes);
  const auto found = index::span_of<std::uint8_t>(codes.front());
  outcome.codes.assign(found.begin(), found.end());
  const auto numbers = index::span_of<std::int64_t>(sums.sums());
  outcome.sums.assign(numbers.begin(), numbers.end());
  const auto counts = index::span_of<std::int64_t>(sums.counts());
  outcome.counts.assign(counts.begin(), counts.end());
  return outcome;
}

/// The kernel's job, in host memory.
inline gpu::PqCodesJob job_of(const PqCase& test, PqOutcome& outcome) {
  gpu::PqCodesJob job;
  job.x = test.x.data();
  job.packed = test.tables.packed.data();
  job.n = test.shape.n;
  job.m = test.shape.m;
  job.dsub = test.shape.dsub;
  job.centroids = test.shape.centroids;
  job.codes = outcome.codes.data();
  job.sums = outcome.sums.data();
  job.counts = outcome.counts.data();
  job.scale = test.scale;
  return job;
}

}  // namespace knnseq::test
