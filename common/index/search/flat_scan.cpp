#include "index/search/flat_scan.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/core/own_memory.hpp"
#include "index/core/parallel.hpp"
#include "index/core/plain_distance.hpp"

namespace knnseq::index {

namespace {

/// Queries whose products are made together, and products that are: they stay in the cache.
constexpr std::int64_t most_flat_queries = 256;
constexpr std::int64_t most_flat_products = 1 << 18;
constexpr std::int64_t least_flat_tile = 1024;
/// Vectors whose bounds are compared before any is measured.
constexpr std::int64_t flat_block = 32;

/// Where the parts of the memory begin, in bytes: ids in front.
struct FlatLayout {
  std::int64_t vectors, norms, end;

  FlatLayout(std::int64_t width, std::int64_t n)
      : vectors(core::ceil_div(n * std::int64_t{sizeof(std::int64_t)}, 64) * 64),
        norms(vectors + n * width * std::int64_t{sizeof(float)}),
        end(norms + n * std::int64_t{sizeof(float)}) {}
};

float flat_norm(const float* vector, std::int64_t d) {
  return sum_of_terms(vector, vector, d, [](float x, float y) { return x * y; });
}

}  // namespace

/// Queries, and some vectors that are compared with them.
struct FlatScan::Batch {
  const float* queries = nullptr;   ///< [q, d]
  const float* norms = nullptr;     ///< [q], squared
  core::Range tile = {};            ///< of vectors
  const float* products = nullptr;  ///< [q, tile], times the metric's factor
  std::vector<NearestNeighbours>* best = nullptr;
};

FlatScan::FlatScan(const IndexSpec& spec, std::span<const std::int64_t> sizes,
                   const std::shared_ptr<std::byte>& memory)
    : metric_(spec.metric),
      width_(spec.d_out),
      // A sum of d products is off by d · 2⁻²⁴ of the norms at most: eight times that, and what few
      // dimensions leave to the other operations.
      slack_(static_cast<float>(spec.d_out + 8) * 0x1p-21f),
      next_(),
      ends_(sizes.size()),
      memory_(memory ? memory : own_memory(memory_bytes(spec, sizes))) {
  KNNSEQ_ASSERT(!spec.has_lists() && spec.storage == Storage::flat, "vectors without lists");
  std::partial_sum(sizes.begin(), sizes.end(), ends_.begin());
  for (std::size_t i = 0; i < sizes.size(); ++i) next_.push_back(ends_[i] - sizes[i]);
  const std::int64_t n = ends_.empty() ? 0 : ends_.back();
  const FlatLayout layout(width_, n);
  ids_ = array_at<std::int64_t>(memory_.get(), 0, n);
  vectors_ = array_at<float>(memory_.get(), layout.vectors, n * width_);
  norms_ = array_at<float>(memory_.get(), layout.norms, n);
}

std::int64_t FlatScan::memory_bytes(const IndexSpec& spec, std::span<const std::int64_t> sizes) {
  return FlatLayout(spec.d_out, std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0})).end;
}

std::int64_t FlatScan::bytes() const { return FlatLayout(width_, entries()).end; }

void FlatScan::append(std::int64_t list, std::span<const std::uint8_t> codes,
                      std::span<const std::int64_t> ids) {
  const std::int64_t n = std::ssize(ids);
  std::int64_t& next = next_[list];
  KNNSEQ_ASSERT(std::ssize(codes) == n * width_ * std::int64_t{sizeof(float)},
                "vectors and ids of different numbers of entries");
  KNNSEQ_ASSERT(next + n <= ends_[list], "a piece has no room left");
  if (n > 0) std::memcpy(vectors_.data() + next * width_, codes.data(), codes.size());
  std::ranges::copy(ids, ids_.begin() + next);
  for (std::int64_t i = next; i < next + n; ++i) {
    norms_[i] = flat_norm(vectors_.data() + i * width_, width_);
  }
  next += n;
}

TopK FlatScan::search(const at::Tensor& rotated, const Probes&, std::int64_t k) const {
  KNNSEQ_ASSERT(rotated.dim() == 2 && rotated.scalar_type() == at::kFloat &&
                    rotated.size(1) == width_ && k > 0,
                "queries are fp32 [q, d_out]");
  const at::Tensor queries = rotated.contiguous();
  const std::int64_t q = queries.size(0);
  const TopK result = missing_top_k(q, k);
  for (std::int64_t first = 0; first < q && entries() > 0; first += most_flat_queries) {
    const std::int64_t count = std::min(most_flat_queries, q - first);
    search_some(queries.narrow(0, first, count), k,
                {result.distances.narrow(0, first, count), result.ids.narrow(0, first, count)});
  }
  return result;
}

void FlatScan::search_some(const at::Tensor& queries, std::int64_t k, const TopK& result) const {
  const std::int64_t q = queries.size(0);
  const float* data = queries.const_data_ptr<float>();
  std::vector<float> norms;
  for (std::int64_t i = 0; i < q; ++i) norms.push_back(flat_norm(data + i * width_, width_));
  std::vector<NearestNeighbours> best(q, make_nearest(k));
  const at::Tensor factors = queries * (is_inner_product(metric_) ? -1 : -2);
  const std::int64_t tile = std::max(least_flat_tile, most_flat_products / q);
  at::Tensor products = at::empty({0});
  for (std::int64_t first = 0; first < entries(); first += tile) {
    const core::Range range{first, std::min(first + tile, entries())};
    const at::Tensor vectors =
        at::from_blob(vectors_.data() + first * width_, {range.size(), width_}, at::kFloat);
    products.resize_({q, range.size()});
    at::mm_out(products, factors, vectors.t());
    const Batch batch{data, norms.data(), range, products.const_data_ptr<float>(), &best};
    parallel_for(q, [&](std::int64_t query) { scan(batch, query); });
  }
  for (std::int64_t i = 0; i < q; ++i) result.set_row(i, best[i].take_sorted());
}

/// An entry's distance is at least what its norm, its product and the query's norm sum to.
void FlatScan::scan(const Batch& batch, std::int64_t query) const {
  const float factor = (is_inner_product(metric_) ? 0.0f : 1.0f) - slack_;
  const float* norms = norms_.data() + batch.tile.begin;
  const float* products = batch.products + query * batch.tile.size();
  NearestNeighbours& best = (*batch.best)[query];
  const auto limit = [&] { return best.limit().distance - factor * batch.norms[query]; };
  const auto passes = [&](std::int64_t i, float most) {  // also what is no number
    return !(factor * norms[i] + products[i] > most);
  };
  for (std::int64_t begin = 0; begin < batch.tile.size(); begin += flat_block) {
    const std::int64_t end = std::min(begin + flat_block, batch.tile.size());
    const float most = limit();
    int passing = 0;  // counted without branches, as most blocks have none
    for (std::int64_t i = begin; i < end; ++i) passing += passes(i, most) ? 1 : 0;
    if (passing == 0) continue;
    for (std::int64_t i = begin; i < end; ++i) {
      if (!passes(i, limit())) continue;
      const std::int64_t entry = batch.tile.begin + i;
      best.offer({plain_distance(metric_, batch.queries + query * width_,
                                 vectors_.data() + entry * width_, width_),
                  ids_[entry]});
    }
  }
}

}  // namespace knnseq::index
