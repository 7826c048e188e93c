#include <filesystem>

#include "core/error.hpp"
#include "gpu/collectives.hpp"
#include "index/sample/fixed_point_sum.hpp"
#include "index/sample/sample_selection.hpp"
#include "index/train/quantization_error.hpp"
#include "support/mpi_main.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using test::world;

TEST_CASE("sums over ranks equal the sum that one rank makes") {
  const at::Tensor values = test::normal(1000, 3, 5) * 1000;
  const auto self = comm::make_self_communicator();
  const auto sum = [&](comm::Communicator& comm, std::int64_t rank, std::int64_t ranks) {
    index::FixedPointSum sums(index::agree_on_fixed_point(comm, 1e4, 1000), 3);
    for (std::int64_t i = rank; i < 1000; i += ranks) {
      sums.add(std::span(values.const_data_ptr<float>() + i * 3, 3));
    }
    return sums.total(comm);
  };
  const auto alone = sum(*self, 0, 1);
  const auto together = sum(world(), world().rank(), world().size());
  REQUIRE_ALL(alone == together);
}

TEST_CASE("drawn rows are the same for any number of ranks") {
  const at::Tensor sample = test::normal(700, 4, 6);
  const auto self = comm::make_self_communicator();
  const auto whole = index::deal_sample(sample, 100, 0, 1);
  const auto mine = index::deal_sample(sample, 100, world().rank(), world().size());
  REQUIRE_ALL(
      at::equal(index::draw_rows(*self, whole, 50, 3), index::draw_rows(world(), mine, 50, 3)));
  const auto few = index::subsample(*self, whole, 90, 4);
  const auto my_few = index::subsample(world(), mine, 90, 4);
  REQUIRE_ALL(
      at::equal(index::draw_rows(*self, few, 90, 3), index::draw_rows(world(), my_few, 90, 3)));
}

TEST_CASE("the codebook is bit by bit that of one rank") {
  const std::string factory =
      GENERATE("OPQ4_8,IVF8,PQ4", "PCA8,IVF8,PQ4", "IVF8,PQ4", "OPQ4_8,PQ4", "PQ4x4fs");
  const std::string metric = GENERATE("l2", "ip", "cos");
  // 500-row blocks: with four ranks one has no block at all.
  const at::Tensor sample = test::clustered(1300, 16, 2);
  const auto spec = index::parse_index_spec(factory, 16, metric);
  auto options = test::quick_options();
  options.coarse_search = metric == "l2" ? index::CoarseSearch::near : index::CoarseSearch::all;
  options.max_points_per_centroid = GENERATE(0, 4);
  const auto self = comm::make_self_communicator();
  const auto alone =
      index::train_codebook(*self, index::deal_sample(sample, 500, 0, 1), spec, options);
  std::vector<std::byte> middle;
  index::CheckpointHooks hooks;
  hooks.save = [&](const std::string& step, std::int64_t iteration,
                   std::span<const std::byte> state) {
    if (step == (spec.has_lists() ? "coarse" : "pq") && iteration == 2)
      middle.assign(state.begin(), state.end());
  };
  const auto mine = index::deal_sample(sample, 500, world().rank(), world().size());
  const auto together = index::train_codebook(world(), mine, spec, options, hooks);
  REQUIRE_ALL(checksum(alone) == checksum(together));

  // A state that all ranks saved is good for one rank, too.
  index::CheckpointHooks resumed;
  resumed.resume = middle;
  const auto finished =
      index::train_codebook(*self, index::deal_sample(sample, 500, 0, 1), spec, options, resumed);
  REQUIRE_ALL(checksum(alone) == checksum(finished));
}

TEST_CASE("a codebook trained by tensors is bit by bit that of one rank") {
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "PCA8,IVF8,PQ4");
  const std::string metric = GENERATE("l2", "cos");
  const at::Tensor sample = test::clustered(1300, 16, 2);
  auto options = test::quick_options();
  options.max_points_per_centroid = GENERATE(0, 4);
  const auto train = [&](comm::Communicator& comm) {
    const auto collectives = gpu::make_host_collectives(comm);
    index::TrainContext context(comm, at::kCPU, *collectives);
    context.path = gpu::ComputePath::torch;
    return index::train_codebook(context, index::deal_sample(sample, 500, comm.rank(), comm.size()),
                                 index::parse_index_spec(factory, 16, metric), options);
  };
  const auto self = comm::make_self_communicator();
  const auto alone = train(*self);
  REQUIRE_ALL(checksum(alone) == checksum(train(world())));
}

TEST_CASE("the quantisation error is bit by bit that of one rank") {
  const at::Tensor sample = test::clustered(1300, 16, 2);
  const index::VectorQuantizer quantizer(test::quick_codebook());
  const auto self = comm::make_self_communicator();
  const auto whole = index::subsample(*self, index::deal_sample(sample, 500, 0, 1), 900, 5);
  const auto mine = index::subsample(
      world(), index::deal_sample(sample, 500, world().rank(), world().size()), 900, 5);
  const double alone = index::quantization_error(*self, quantizer, whole);
  REQUIRE_ALL(alone > 0);
  REQUIRE_ALL(index::quantization_error(world(), quantizer, mine) == alone);
}

TEST_CASE("all ranks refuse a sample that one finds broken") {
  at::Tensor sample = test::clustered(1300, 16, 2);
  sample.select(0, 1299).fill_(std::numeric_limits<float>::quiet_NaN());
  const auto mine = index::deal_sample(sample, 500, world().rank(), world().size());
  bool refused = false;
  try {
    index::train_codebook(world(), mine, index::parse_index_spec("OPQ4_8,IVF8,PQ4", 16),
                          test::quick_options());
  } catch (const core::InputError&) {
    refused = true;
  }
  REQUIRE_ALL(refused);
}
