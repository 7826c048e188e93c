#include <numeric>

#include <ATen/ATen.h>

#include "gpu/collectives.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;

namespace {

/// On CPUs these go through the host's memory.
std::unique_ptr<gpu::Collectives> collectives_of_cpus() {
  return gpu::make_collectives(test::world(), gpu::Placement{}, 30);
}

}  // namespace

TEST_CASE("sums over the ranks are made in place, for each type") {
  auto& world = test::world();
  const auto collectives = collectives_of_cpus();
  REQUIRE_ALL(collectives->rank() == world.rank() && collectives->size() == world.size());
  REQUIRE_ALL(collectives->name() == "host memory");
  const std::int64_t size = world.size();
  for (const auto type : {at::kLong, at::kDouble, at::kFloat}) {
    const at::Tensor ramp = at::arange(6, at::TensorOptions(type)).view({2, 3});
    const at::Tensor mine = ramp * (world.rank() + 1);
    const void* memory = mine.data_ptr();
    collectives->all_reduce_sum(mine);
    REQUIRE_ALL(at::equal(mine, ramp * (size * (size + 1) / 2)));
    REQUIRE_ALL(mine.data_ptr() == memory && mine.scalar_type() == type);
  }
}

TEST_CASE("sums of int64 are exact beyond the precision of doubles") {
  const auto collectives = collectives_of_cpus();
  const at::Tensor mine = at::full({1}, (std::int64_t{1} << 60) + 1, at::kLong);
  collectives->all_reduce_sum(mine);
  const auto size = static_cast<std::int64_t>(collectives->size());
  REQUIRE_ALL(mine.item<std::int64_t>() == size * ((std::int64_t{1} << 60) + 1));
}

TEST_CASE("sums of floats are rounded once") {
  const auto collectives = collectives_of_cpus();
  // Each rank's part is lost against 2^24 in fp32; their sum is not.
  const at::Tensor mine = at::full({1}, collectives->rank() == 0 ? 0x1p24 : 0.75, at::kFloat);
  collectives->all_reduce_sum(mine);
  const double exact = 0x1p24 + 0.75 * (collectives->size() - 1);
  REQUIRE_ALL(mine.item<float>() == static_cast<float>(exact));
}

TEST_CASE("a broadcast brings the root's values, whatever their type") {
  const auto collectives = collectives_of_cpus();
  const int last = collectives->size() - 1;
  for (const auto type : {at::kHalf, at::kByte, at::kInt, at::kDouble}) {
    const at::Tensor values = at::full({3, 5}, collectives->rank() + 7, type);
    collectives->broadcast(values, last);
    REQUIRE_ALL(at::equal(values, at::full({3, 5}, last + 7, type)));
  }
  const at::Tensor values = at::full({2}, collectives->rank() + 7, at::kLong);
  collectives->broadcast(values);
  REQUIRE_ALL(at::equal(values, at::full({2}, 7, at::kLong)));
}

TEST_CASE("a gather puts the ranks' tensors one after another") {
  const auto collectives = collectives_of_cpus();
  const at::Tensor mine = at::full({2, 3}, collectives->rank(), at::kShort);
  const at::Tensor all = collectives->all_gather(mine);
  REQUIRE_ALL(all.sizes() == at::IntArrayRef({collectives->size(), 2, 3}));
  bool right = all.scalar_type() == at::kShort;
  for (int rank = 0; rank < collectives->size(); ++rank) {
    right = right && at::equal(all[rank], at::full({2, 3}, rank, at::kShort));
  }
  REQUIRE_ALL(right);
}

TEST_CASE("rows go to their ranks, also if some send or get none") {
  const auto collectives = collectives_of_cpus();
  const std::int64_t rank = collectives->rank(), size = collectives->size();
  // Rank r sends r · to rows to rank `to`: rank 0 sends none and gets none.
  std::vector<std::int64_t> counts;
  std::vector<at::Tensor> parts = {at::empty({0, 2}, at::kFloat)};
  for (std::int64_t to = 0; to < size; ++to) {
    counts.push_back(rank * to);
    parts.push_back(at::full({rank * to, 2}, static_cast<double>(10 * rank + to), at::kFloat));
  }
  const auto got = collectives->all_to_all(at::cat(parts), counts);
  REQUIRE_ALL(std::ssize(got.starts) == size + 1);
  bool right = got.rows.dim() == 2 && got.rows.size(1) == 2 &&
               got.rows.scalar_type() == at::kFloat && got.rows.size(0) == got.starts.back();
  REQUIRE_ALL(right);
  for (std::int64_t from = 0; from < size; ++from) {
    const auto begin = got.starts[from];
    const auto end = got.starts[static_cast<std::size_t>(from) + 1];
    const auto expected =
        at::full({from * rank, 2}, static_cast<double>(10 * from + rank), at::kFloat);
    right = right && at::equal(got.rows.slice(0, begin, end), expected);
  }
  REQUIRE_ALL(right);
}

TEST_CASE("tensors without elements pass through") {
  const auto collectives = collectives_of_cpus();
  const at::Tensor none = at::empty({0, 4}, at::kLong);
  collectives->all_reduce_sum(none);
  collectives->broadcast(none);
  const auto all = collectives->all_gather(none);
  REQUIRE_ALL(all.sizes() == at::IntArrayRef({collectives->size(), 0, 4}));
  const std::vector<std::int64_t> counts(collectives->size(), 0);
  const auto got = collectives->all_to_all(none, counts);
  REQUIRE_ALL(got.rows.sizes() == at::IntArrayRef({0, 4}) && got.starts.back() == 0);
  collectives->close();
}

TEST_CASE("what cannot be sent is refused before anything is sent") {
  const auto collectives = collectives_of_cpus();
  CHECK_THROWS_AS(collectives->all_reduce_sum(at::ones({2}, at::kHalf)), std::logic_error);
  CHECK_THROWS_AS(collectives->broadcast(at::ones({2, 3}).t()), std::logic_error);
  CHECK_THROWS_AS(collectives->broadcast(at::ones({2}), collectives->size()), std::logic_error);
  const std::vector<std::int64_t> counts(collectives->size(), 1);
  CHECK_THROWS_AS(collectives->all_to_all(at::ones({0, 2}), counts), std::logic_error);
}
