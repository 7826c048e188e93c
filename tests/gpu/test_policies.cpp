// The policies on a GPU against themselves on the CPU.
#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "gpu_device.hpp"
#include "retrieval/mixing/policy_network.hpp"
#include "retrieval/mixing/search_gate.hpp"

using namespace knnseq;
using retrieval::PolicyKind;

TEST_CASE("policies and gates decide as on the CPU") {
  constexpr std::int64_t queries = 50, k = 8, width = 16, vocabulary = 40;
  at::manual_seed(1);
  const at::Tensor vectors = at::randn({queries, width});
  const at::Tensor log_probs = at::randn({queries, vocabulary}).log_softmax(1);
  const index::TopK found{std::get<0>((at::rand({queries, k}) * 20).sort(1)).contiguous(),
                          at::randint(0, vocabulary, {queries, k}, at::kLong)
                              .bitwise_left_shift(core::entry_number_bits)};
  found.ids.select(1, k - 1).fill_(index::missing_id);
  const at::Tensor vectors_there = vectors.to(gpu_device),
                   log_probs_there = log_probs.to(gpu_device);
  for (const auto kind : {PolicyKind::meta_k, PolicyKind::robust}) {
    const auto network = retrieval::PolicyNetwork::create(kind, {k, width}, found.distances, 4, 1);
    const auto expected = network.weigh(retrieval::features_of({vectors, log_probs}, found));
    const auto made =
        network.to(gpu_device)
            .weigh(retrieval::features_of({vectors_there, log_probs_there}, found.to(gpu_device)));
    CHECK(at::allclose(made.lambda.cpu(), expected.lambda, 1e-4, 1e-5));
    CHECK(at::allclose(made.shares.cpu(), expected.shares, 1e-4, 1e-5));
  }
  const auto gate = retrieval::SearchGate::create(width, 1);
  const auto logits = [](const retrieval::SearchGate& of, const at::Tensor& q,
                         const at::Tensor& p) {
    return of.logits(retrieval::normalised_queries(q), retrieval::best_log_probs(p)).cpu();
  };
  CHECK(at::allclose(logits(gate.to(gpu_device), vectors_there, log_probs_there),
                     logits(gate, vectors, log_probs), 1e-4, 1e-5));
}
