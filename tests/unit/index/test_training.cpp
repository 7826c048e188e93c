#include <filesystem>

#include <catch2/catch.hpp>
#include <faiss/Index.h>
#include <faiss/IndexFlat.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "index/search/local_index.hpp"
#include "index/train/kmeans.hpp"
#include "index/train/pca.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "index/train/sample_moments.hpp"
#include "index/train/train_state.hpp"
#include "support/host_top_k.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

/// Mean squared distance of keys to what their codes stand for, in the space of the keys.
double quantisation_error(const index::Codebook& codebook, const at::Tensor& keys) {
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(keys);
  const at::Tensor lists = quantizer.assign_exact(rotated);
  const at::Tensor decoded =
      index::pq_decode(quantizer.encode(rotated, lists), codebook.pq_centroids) +
      at::index_select(codebook.coarse_centroids, 0, lists);
  const double lost =
      at::sum(keys * keys).item<double>() - at::sum(rotated * rotated).item<double>();
  return (lost + at::sum(at::square(rotated - decoded)).item<double>()) /
         static_cast<double>(keys.size(0));
}

/// Share of queries whose true nearest key is among the 10 that the index finds.
double recall_at_10(const index::Codebook& codebook, const at::Tensor& keys,
                    const at::Tensor& queries) {
  const test::TemporaryFolder folder;
  const auto path = folder / "knnseq-recall.faiss";
  index::write_local_index(path, codebook, test::coded_entries(codebook, keys));
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(queries);
  const test::HostTopK found =
      index::load_local_index(codebook, {path})->search(rotated, quantizer.probe(rotated, 8), 10);
  const at::Tensor truth = at::argmin(at::cdist(queries, keys), 1);
  int hits = 0;
  for (std::int64_t i = 0; i < queries.size(0); ++i) {
    const auto* row = found.ids.data() + i * 10;
    hits += static_cast<int>(std::any_of(row, row + 10, [&](std::int64_t id) {
      return id >= 0 && core::entry_number_of(id) == truth.const_data_ptr<std::int64_t>()[i];
    }));
  }
  return hits / static_cast<double>(queries.size(0));
}

index::Codebook train_with_faiss(const std::string& factory, const at::Tensor& sample) {
  const test::TemporaryFolder folder;
  const auto path = folder / "knnseq-trained-by-faiss.faiss";
  const std::unique_ptr<faiss::Index> trained(
      faiss::index_factory(static_cast<int>(sample.size(1)), factory.c_str()));
  trained->train(sample.size(0), sample.const_data_ptr<float>());
  faiss::write_index(trained.get(), path.c_str());
  const auto codebook = index::read_codebook(path);
  return codebook;
}

}  // namespace

TEST_CASE("training is as good as faiss's own") {
  const std::string factory = GENERATE("OPQ8_16,IVF32,PQ8np", "PCA16,IVF32,PQ8np", "IVF32,PQ8np");
  const at::Tensor data = test::clustered(12000, 24, 7);
  const at::Tensor sample = data.narrow(0, 0, 10000).contiguous();
  const at::Tensor queries = data.narrow(0, 10000, 500).contiguous();
  const auto ours = test::train_alone(sample, index::parse_index_spec(factory, 24), {});
  const auto theirs = train_with_faiss(factory, sample);
  const double error = quantisation_error(ours, sample);
  const double faiss_error = quantisation_error(theirs, sample);
  const double recall = recall_at_10(ours, sample, queries);
  const double faiss_recall = recall_at_10(theirs, sample, queries);
  INFO(factory << ": error " << error << ", faiss's " << faiss_error << "; recall " << recall
               << ", faiss's " << faiss_recall);
  CHECK(error < 1.02 * faiss_error);
  CHECK(recall > faiss_recall - 0.04);
}

TEST_CASE("k-means converges on well separated clusters and reports its error") {
  const at::Tensor centres = at::tensor({0.F, 0.F, 100.F, 0.F, 0.F, 100.F}).view({3, 2});
  const at::Tensor which = at::remainder(at::arange(300, at::kLong), 3);
  const at::Tensor points = at::index_select(centres, 0, which) + test::normal(300, 2, 1);
  const auto self = comm::make_self_communicator();
  const auto sample = index::deal_sample(points, 64, 0, 1);
  std::vector<double> errors;
  const auto result = index::kmeans(
      *self, sample, {20, 5}, index::start_kmeans(*self, sample, 3, {20, 5}),
      [&](const index::Clustering& now) { errors.push_back(now.mean_squared_error); });
  REQUIRE(errors.size() == 20);
  CHECK(errors.back() <= errors.front());
  const double direct =
      at::square(std::get<0>(at::cdist(points, result.centroids).min(1))).mean().item<double>();
  CHECK(errors.back() == Approx(direct).epsilon(1e-3));
}

TEST_CASE("PCA finds the directions of largest variance") {
  const at::Tensor x = test::normal(2000, 6, 3) * at::tensor({1.F, 5.F, 0.1F, 3.F, 0.2F, 0.3F}) + 7;
  const auto self = comm::make_self_communicator();
  const auto sample = index::deal_sample(x, 300, 0, 1);
  const at::Tensor means = index::column_means(*self, sample);
  CHECK(at::allclose(means, x.mean(0), 0, 1e-4));
  const at::Tensor rotation = index::train_pca(*self, sample, means, 2, false);
  CHECK(rotation.select(0, 0).select(0, 1).item<float>() == Approx(1).epsilon(0.01));
  CHECK(rotation.select(0, 1).select(0, 3).item<float>() == Approx(1).epsilon(0.01));

  const at::Tensor whitened =
      at::mm(x - means, index::train_pca(*self, sample, means, 6, true).t());
  const at::Tensor moments = at::mm(whitened.t(), whitened) / 2000;
  CHECK(at::allclose(moments, at::eye(6), 0, 1e-3));
  const at::Tensor flat = at::cat({x, x.narrow(1, 0, 1)}, 1);  // six directions of seven
  const auto sample_of_flat = index::deal_sample(flat, 300, 0, 1);
  const at::Tensor means_of_flat = index::column_means(*self, sample_of_flat);
  CHECK_NOTHROW(index::train_pca(*self, sample_of_flat, means_of_flat, 6, true));
  CHECK_THROWS_WITH(index::train_pca(*self, sample_of_flat, means_of_flat, 7, true),
                    Catch::Contains("vary in 6 directions only"));
}

TEST_CASE("a resumed training ends as an uninterrupted one, bit by bit") {
  const at::Tensor sample = test::clustered(1500, 16, 2);
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "PCA8,IVF8,PQ4");
  const auto spec = index::parse_index_spec(factory, 16);
  std::vector<std::vector<std::byte>> states;
  std::vector<std::string> steps;
  index::CheckpointHooks hooks;
  hooks.save = [&](const std::string& step, std::int64_t, std::span<const std::byte> state) {
    steps.push_back(step);
    states.emplace_back(state.begin(), state.end());
  };
  const auto whole = checksum(test::train_alone(sample, spec, test::quick_options(), hooks));
  CHECK(steps.size() == (spec.transform == index::Transform::opq ? 9 : 7));
  for (const auto& state : states) {
    index::CheckpointHooks resumed;
    resumed.resume = state;
    CHECK(checksum(test::train_alone(sample, spec, test::quick_options(), resumed)) == whole);
  }

  index::CheckpointHooks other;
  other.resume = states.front();
  auto options = test::quick_options();
  options.seed = 99;
  CHECK_THROWS_WITH(test::train_alone(sample, spec, options, other), Catch::Contains("another"));
  // A state with a valid checksum and another shape.
  auto state = index::train_state_from(states.front());
  state.rotation = state.rotation.narrow(0, 1, state.rotation.size(0) - 1);
  other.resume = index::to_bytes(state);
  CHECK_THROWS_WITH(test::train_alone(sample, spec, test::quick_options(), other),
                    Catch::Contains("damaged"));
  other.resume = states.front();
  other.resume[50] ^= std::byte{1};
  CHECK_THROWS_WITH(test::train_alone(sample, spec, test::quick_options(), other),
                    Catch::Contains("damaged"));
}

TEST_CASE("samples that cannot be trained on are refused; small ones bring a warning") {
  const auto spec = index::parse_index_spec("IVF8,PQ4", 16);
  const at::Tensor sample = test::clustered(300, 16, 2);
  std::vector<std::string> warnings;
  auto options = test::quick_options();
  options.warn = [&](const std::string& line) { warnings.push_back(line); };
  test::train_alone(sample, spec, options);
  CHECK(warnings.size() == 2);
  CHECK_THROWS_AS(test::train_alone(sample.narrow(0, 0, 200), spec, options), core::InputError);
  at::Tensor broken = sample.clone();
  broken.select(0, 17).fill_(std::numeric_limits<float>::infinity());
  CHECK_THROWS_AS(test::train_alone(broken, spec, options), core::InputError);
}

TEST_CASE("half precision samples, constant columns and repeated rows are fine") {
  at::Tensor sample = test::clustered(40, 16, 2).repeat({20, 1});
  sample.narrow(1, 0, 4).fill_(3);
  const auto codebook = test::train_alone(
      sample.to(at::kHalf), index::parse_index_spec("OPQ4_8,IVF8,PQ4", 16), test::quick_options());
  CHECK_NOTHROW(codebook.check("test"));
}
