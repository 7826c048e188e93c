// Assigns vectors to lists by tensors: by fp32 products alone, and exactly, by bounds from products
// in fp32 and in bf16. Says how fast each is, and how many distances had to be measured.
#include <map>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "comm/mpi_environment.hpp"
#include "gpu/placement.hpp"
#include "gpu/torch_device.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/quantize/score_tiles.hpp"
#include "obs/resources.hpp"
#include "vectors.hpp"

using namespace knnseq;

namespace {

constexpr int rounds = 3;

/// The lowest score by fp32 products, as they come out.
at::Tensor by_products_alone(const at::Tensor& x, const at::Tensor& centroids) {
  const at::Tensor norms = centroids.square().sum(1);
  std::vector<at::Tensor> result;
  index::for_each_row_tile(x, 1 << 12, [&](std::int64_t, const at::Tensor& rows) {
    at::Tensor best;
    at::Tensor nearest;
    index::for_each_score_tile(rows, centroids, norms, [&](std::int64_t first, const auto& scores) {
      const auto [lowest, place] = at::min(scores, 1);
      if (first == 0) {
        best = lowest;
        nearest = place;
        return;
      }
      nearest = at::where(lowest < best, place + first, nearest);
      best = at::minimum(lowest, best);
    });
    result.push_back(nearest.to(at::kInt));
  });
  return at::cat(result);
}

/// Some rows, each moved to the mean of those that are nearest to it.
at::Tensor means_of(const at::Tensor& x, std::int64_t lists) {
  const at::Tensor order = at::randperm(x.size(0), at::detail::createCPUGenerator(1), at::kLong);
  const at::Tensor some = at::index_select(x, 0, order.narrow(0, 0, lists).to(x.device()));
  const at::Tensor nearest = by_products_alone(x, some).to(at::kLong);
  const at::Tensor sums = some.clone().index_add_(0, nearest, x);
  const at::Tensor counts = at::ones({lists, 1}, x.options())
                                .index_add_(0, nearest, at::ones({x.size(0), 1}, x.options()));
  return sums / counts;
}

struct Measured {
  at::Tensor lists;  ///< on the host
  double seconds = 0;
};

/// The fastest of some rounds.
template <class Assign>
Measured timed(Assign assign) {
  Measured result;
  for (int round = 0; round < rounds; ++round) {
    const obs::Stopwatch watch;
    result.lists = assign().cpu();  // waits for the device
    const double seconds = watch.seconds();
    if (round == 0 || seconds < result.seconds) result.seconds = seconds;
  }
  return result;
}

}  // namespace

/// Arguments: VECTORS ROWS WIDTH LISTS THREADS [cuda]. VECTORS: a file of fp16, or "random".
/// Exit code 1 if bounds from bf16 and from fp32 lead to different lists.
int main(int argc, char** argv) {
  comm::MpiEnvironment mpi(argc, argv);
  const auto comm = mpi.world(0);
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 5 || comm->size() > 1) {
    fmt::print(stderr, "assign_speed VECTORS ROWS WIDTH LISTS THREADS [cuda]\n");
    return 2;
  }
  const benchmarks::Vectors vectors{args[0], std::stoll(args[1]), std::stoll(args[2])};
  const std::int64_t lists = std::stoll(args[3]);
  at::set_num_threads(std::stoi(args[4]));
  const bool wants_gpu = args.size() > 5 && args[5] == "cuda";
  const auto placement = gpu::place_rank(*comm, wants_gpu ? gpu::Wanted::cuda : gpu::Wanted::cpu);
  const at::Device device = gpu::torch_device(placement.device);

  const at::Tensor x = vectors.read({0, vectors.rows}).to(device).to(at::kFloat);
  const at::Tensor centroids = means_of(x, lists);

  const auto report = [&](const std::string& name, double seconds, const std::string& more) {
    const auto rows = static_cast<double>(vectors.rows);
    const double operations =
        2 * rows * static_cast<double>(lists) * static_cast<double>(vectors.width);
    fmt::print("{}: {:.0f} rows/s, {:.2f} TFLOP/s{}\n", name, rows / seconds,
               operations / seconds / 1e12, more);
  };
  const Measured alone = timed([&] { return by_products_alone(x, centroids); });
  report("fp32 products alone", alone.seconds, "");
  std::map<at::ScalarType, Measured> exact;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    std::int64_t measured = 0;
    exact[dtype] = timed([&] {
      measured = 0;
      return index::BoundedNearest(centroids, index::Metric::l2, dtype).nearest(x, &measured);
    });
    report(dtype == at::kFloat ? "exact, by fp32" : "exact, by bf16", exact[dtype].seconds,
           fmt::format(", {:.1f} distances measured a row",
                       static_cast<double>(measured) / static_cast<double>(vectors.rows)));
  }
  const Measured& bf16 = exact[at::kBFloat16];
  const bool same = at::equal(bf16.lists, exact[at::kFloat].lists);
  const auto others = (bf16.lists != alone.lists).sum().item<std::int64_t>();
  fmt::print(
      "{} lists, {} dimensions: exact by bf16 {:.2f} times as fast as fp32 products alone, "
      "lists {} those by fp32, {} rows otherwise than by fp32 products alone\n",
      lists, vectors.width, alone.seconds / bf16.seconds, same ? "equal" : "DIFFER from", others);
  return same ? 0 : 1;
}
