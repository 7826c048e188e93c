// The policies that decide λ, T and k for each query, against their NumPy statements
// (scripts/reference_policies.py by way of tests/data/policies.json).
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "retrieval/knn_mixer.hpp"
#include "retrieval/mixing/policy_network.hpp"
#include "retrieval/mixing/search_gate.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using retrieval::PolicyKind;

namespace {

const core::Json& reference() {
  static const core::Json json = core::read_json(KNNSEQ_SOURCE_DIR "/tests/data/policies.json");
  return json;
}

/// The reference's queries, as tensors.
struct Queries {
  at::Tensor vectors, log_probs;
  index::TopK found;
  std::int64_t count = 0, k = 0;

  retrieval::MixingQueries mixing() const { return {vectors, log_probs}; }
};

Queries read_queries() {
  const auto& queries = reference().at("queries");
  std::vector<float> vectors, log_probs, distances;
  std::vector<std::int64_t> ids;
  for (const auto& query : queries) {
    for (const float value : query.at("query")) vectors.push_back(value);
    for (const float value : query.at("log_probs")) log_probs.push_back(value);
    for (std::size_t i = 0; i < query.at("tokens").size(); ++i) {
      const auto& distance = query.at("distances")[i];
      distances.push_back(distance.is_null() ? index::missing_distance : distance.get<float>());
      ids.push_back(distance.is_null()
                        ? index::missing_id
                        : core::pack_entry_id(query.at("tokens")[i].get<core::TokenId>(), 7));
    }
  }
  const auto count = std::ssize(queries);
  const auto rows = [&](const auto& values, at::ScalarType dtype) {
    return at::tensor(values, dtype).view({count, -1});
  };
  Queries result{rows(vectors, at::kFloat),
                 rows(log_probs, at::kFloat),
                 {rows(distances, at::kFloat), rows(ids, at::kLong)}};
  result.count = count;
  result.k = result.found.k();
  return result;
}

/// A network of the reference as a file that load() reads; `edit` may spoil it.
std::filesystem::path write_network(
    const test::TemporaryFolder& folder, const std::string& kind,
    const std::function<void(retrieval::NetworkWeights&)>& edit = {}) {
  retrieval::NetworkWeights tensors;
  for (const auto& [name, value] : reference().at(kind).at("network").items()) {
    tensors[kind + "." + name] = at::tensor(value.at("values").get<std::vector<float>>())
                                     .view(value.at("shape").get<std::vector<std::int64_t>>());
  }
  if (edit) edit(tensors);
  const auto file = folder.path() / (kind + ".safetensors");
  model::write_safetensors(file, tensors);
  return file;
}

retrieval::MixingOptions learned(PolicyKind policy, const std::filesystem::path& network) {
  retrieval::MixingOptions options;
  options.policy = policy;
  options.network = network;
  return options;
}

void check_decisions(const core::Json& expected, const retrieval::Mixing& how,
                     const Queries& queries) {
  REQUIRE(std::ssize(expected) == queries.count);
  for (std::int64_t query = 0; query < queries.count; ++query) {
    INFO("query " << query);
    CHECK(how.lambda.of(query) == Approx(expected[query].at("lambda").get<double>()).epsilon(1e-4));
    const auto given = retrieval::neighbour_shares(queries.found, query, how);
    std::vector<double> shares(queries.k);
    for (const auto& [neighbour, share] : given) {
      for (std::int64_t i = 0; i < queries.k; ++i) {  // by distance: no two are equal
        if (queries.found.row(query).distances[i] == neighbour.distance) shares[i] = share;
      }
    }
    for (std::int64_t i = 0; i < queries.k; ++i) {
      CHECK(shares[i] ==
            Approx(expected[query].at("shares")[i].get<double>()).epsilon(1e-4).margin(1e-7));
    }
  }
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("each policy decides what its NumPy statement says") {
  const test::TemporaryFolder folder;
  const auto queries = read_queries();
  retrieval::MixingOptions options;
  std::string name;
  SECTION("distance") {
    name = "distance";
    options.policy = PolicyKind::distance;
    options.tau = reference().at(name).at("tau");
    options.temperature = reference().at(name).at("temperature");
  }
  SECTION("meta_k") {
    name = "meta_k";
    options = learned(PolicyKind::meta_k, write_network(folder, name));
  }
  SECTION("robust") {
    name = "robust";
    options = learned(PolicyKind::robust, write_network(folder, name));
  }
  const auto policy = retrieval::make_mixing_policy(options);
  CHECK_FALSE(policy->choose(queries.mixing()).defined());
  const auto how = policy->decide(queries.mixing(), queries.found);
  check_decisions(reference().at(name).at("expected"), how, queries);

  // What the neighbours of the last query, of which none was found, change: nothing.
  const at::Tensor by_cpu = queries.log_probs.clone();
  retrieval::interpolate_cpu(by_cpu, queries.found, how);
  CHECK(at::equal(by_cpu[queries.count - 1], queries.log_probs[queries.count - 1]));
  CHECK(at::allclose(by_cpu.exp().sum(1), at::ones({queries.count}), 1e-5, 1e-5));
  const at::Tensor by_tensors = queries.log_probs.clone();
  retrieval::interpolate_torch(by_tensors, queries.found, how);
  CHECK(at::allclose(by_cpu, by_tensors, 1e-5, 1e-5));

  // A batch decides as its queries do alone.
  const auto rows = [&](const at::Tensor& all) { return all.narrow(0, 2, 1).contiguous(); };
  const at::Tensor vector = rows(queries.vectors), log_probs = rows(queries.log_probs);
  const auto alone =
      policy->decide({vector, log_probs}, {rows(queries.found.distances), rows(queries.found.ids)});
  CHECK(alone.lambda.of(0) == Approx(how.lambda.of(2)).epsilon(1e-5));
}

TEST_CASE("a gate chooses the queries whose search is worth it") {
  const test::TemporaryFolder folder;
  const auto queries = read_queries();
  const auto expected = reference().at("gate").at("expected").get<std::vector<double>>();
  auto sorted = expected;
  std::sort(sorted.begin(), sorted.end());
  retrieval::MixingOptions options;
  options.gate = write_network(folder, "gate");
  options.skip = (sorted[4] + sorted[5]) / 2;
  const auto chosen = retrieval::make_mixing_policy(options)->choose(queries.mixing());
  std::vector<std::int64_t> wanted;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] >= options.skip) wanted.push_back(static_cast<std::int64_t>(i));
  }
  CHECK(wanted.size() == expected.size() - 5);
  CHECK(at::equal(chosen, at::tensor(wanted, at::kLong)));
  const auto logits = retrieval::SearchGate::load(options.gate)
                          .logits(retrieval::normalised_queries(queries.vectors),
                                  retrieval::best_log_probs(queries.log_probs));
  CHECK(at::allclose(logits.sigmoid(), at::tensor(expected).to(at::kFloat), 1e-4, 1e-6));
  CHECK_THROWS_AS(retrieval::make_mixing_policy(options)->choose(
                      {at::zeros({1, 3}), queries.log_probs.narrow(0, 0, 1)}),
                  core::InputError);
}

TEST_CASE("networks are read as they were written, and what is wrong with one is named") {
  const test::TemporaryFolder folder;
  const auto network = retrieval::PolicyNetwork::create(
      PolicyKind::robust, {8, 5}, at::tensor({1.F, 2.F, 4.F}), 10, /*seed=*/3);
  network.save(folder.path() / "made.safetensors");
  const auto read =
      retrieval::PolicyNetwork::load(folder.path() / "made.safetensors", PolicyKind::robust);
  CHECK(read.k() == 8);
  REQUIRE(read.parameters().size() == network.parameters().size());
  for (const auto& [name, values] : network.parameters()) {
    CHECK(at::equal(values, read.parameters().at(name)));
  }

  CHECK_THAT(message_of([&] {
               learned(PolicyKind::robust, folder.path() / "made.safetensors").validate(4);
             }),
             Catch::Matchers::Contains("made.safetensors") &&
                 Catch::Matchers::Contains("was trained for k 8, but knn.k is 4"));
  CHECK_THAT(message_of([&] {
               learned(PolicyKind::meta_k, folder.path() / "made.safetensors").validate(8);
             }),
             Catch::Matchers::Contains("'meta_k.hidden.weight'") &&
                 Catch::Matchers::Contains("is missing"));
  CHECK_THAT(message_of([&] { learned(PolicyKind::meta_k, folder.path() / "none").validate(8); }),
             Catch::Matchers::Contains("none"));
  const auto spoilt = [&](const std::string& kind, const std::string& name,
                          const at::Tensor& value) {
    const auto file =
        write_network(folder, kind, [&](auto& tensors) { tensors[kind + "." + name] = value; });
    retrieval::MixingOptions options;
    if (kind == "gate") {
      options.gate = file;
    } else {
      options = learned(*core::value_named<PolicyKind>(kind), file);
    }
    return message_of([&] { options.validate(6); });
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(spoilt("meta_k", "hidden.bias", at::full({4}, nan)),
             Catch::Matchers::Contains("'meta_k.hidden.bias': holds a number that is not finite"));
  CHECK_THAT(spoilt("meta_k", "output.bias", at::zeros({4})),
             Catch::Matchers::Contains("'meta_k.output.bias': has shape [4], expected [5]"));
  CHECK_THAT(spoilt("meta_k", "hidden.weight", at::zeros({4, 13})),
             Catch::Matchers::Contains("has shape [4, 13]: not that of a meta_k policy"));
  CHECK_THAT(spoilt("robust", "distances", at::tensor({1.F, 0.F})),
             Catch::Matchers::Contains("a deviation that is not positive"));
  CHECK_THAT(spoilt("robust", "query.weight", at::zeros({5})),
             Catch::Matchers::Contains("'robust.query.weight': has shape [5], expected [1, 0]"));
  CHECK_THAT(spoilt("gate", "hidden.weight", at::zeros({4, 3})),
             Catch::Matchers::Contains("'gate.hidden.weight': has shape [4, 3], expected [4, 2]"));

  // A model of another width.
  const auto queries = read_queries();
  const auto policy =
      retrieval::make_mixing_policy(learned(PolicyKind::robust, write_network(folder, "robust")));
  const at::Tensor wide = at::zeros({queries.count, 9});
  CHECK_THAT(message_of([&] {
               policy->decide({wide, queries.log_probs}, queries.found);
             }),
             Catch::Matchers::Contains("queries of 5 numbers, this model's have 9"));
}

TEST_CASE("several datastores: the mean of what each one's policy decides") {
  const at::Tensor lambdas = at::tensor({0.6F, 0.0F, 0.999F, 0.3F, 0.9F, 0.5F}).view({3, 2});
  std::vector<retrieval::Mixing> mixings;
  for (std::int64_t i = 0; i < 3; ++i) mixings.push_back({.lambda = {.each = lambdas[i]}});
  retrieval::share_among_datastores(mixings);
  for (std::int64_t query = 0; query < 2; ++query) {
    double rest = 1;  // of p_mt
    std::vector<double> weights(3);
    for (std::size_t i = 0; i < 3; ++i) {
      const double lambda = mixings[i].lambda.of(query);
      for (double& weight : weights) weight *= 1 - lambda;
      weights[i] = lambda;
      rest *= 1 - lambda;
    }
    for (std::int64_t i = 0; i < 3; ++i) {
      CHECK(weights[i] == Approx(lambdas[i][query].item<double>() / 3).margin(1e-6));
    }
    CHECK(rest == Approx(1 - lambdas.select(1, query).mean().item<double>()).margin(1e-6));
  }
}
