// NCCL with one rank: what can be shown on a machine with one GPU.
#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "gpu/collectives.hpp"

using namespace knnseq;

TEST_CASE("NCCL carries tensors of one rank through every operation") {
  const auto comm = comm::make_self_communicator();
  const auto collectives = gpu::make_nccl_collectives(*comm, {true, 0}, 60);
  CHECK(collectives->name() == "NCCL");
  CHECK(!gpu::nccl_version().empty());
  const at::Device device(at::kCUDA, 0);
  for (const auto type : {at::kLong, at::kDouble, at::kFloat}) {
    const at::Tensor values = at::arange(1000, at::TensorOptions(type)).to(device);
    const at::Tensor before = values.clone();
    collectives->all_reduce_sum(values);
    CHECK(at::equal(values, before));
  }
  const at::Tensor rows = at::arange(3000, at::kHalf).view({1000, 3}).to(device);
  const at::Tensor same = rows.clone();
  collectives->broadcast(rows);
  CHECK(at::equal(rows, same));
  CHECK(at::equal(collectives->all_gather(rows), same.unsqueeze(0)));
  const std::vector<std::int64_t> counts = {1000};
  const auto received = collectives->all_to_all(rows, counts);
  CHECK(at::equal(received.rows, same));
  CHECK(received.rows.is_cuda());
  CHECK(received.starts == std::vector<std::int64_t>{0, 1000});
  collectives->close();
}

TEST_CASE("a group that was not closed ends without waiting") {
  const auto comm = comm::make_self_communicator();
  for (int i = 0; i < 2; ++i) {
    const auto collectives = gpu::make_nccl_collectives(*comm, {true, 0}, 60);
    const at::Tensor values = at::ones({5}, at::Device(at::kCUDA, 0));
    collectives->all_reduce_sum(values);
    CHECK(values.sum().item<float>() == 5);
  }
}
