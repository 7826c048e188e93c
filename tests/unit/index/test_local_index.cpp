#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <faiss/Index.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "index/search/local_index.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "support/host_top_k.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
namespace fs = std::filesystem;

namespace {

/// All entries of the probed lists by (distance, entry number), with distances computed plainly.
std::vector<std::int64_t> plain_search(const index::Codebook& codebook,
                                       const index::CodedEntries& entries, const at::Tensor& query,
                                       const at::Tensor& probed) {
  const at::Tensor decoded = index::pq_decode(entries.codes, codebook.pq_centroids) +
                             at::index_select(codebook.coarse_centroids, 0, entries.lists);
  const at::Tensor distances = at::sum(at::square(decoded - query), {1});
  std::vector<std::pair<float, std::int64_t>> found;
  for (std::int64_t i = 0; i < decoded.size(0); ++i) {
    if ((probed == entries.lists.select(0, i)).any().item<bool>()) {
      // rounded, so that what ties in exact arithmetic ties here
      found.emplace_back(std::round(distances.const_data_ptr<float>()[i] * 100) / 100, i);
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::int64_t> result;
  for (const auto& [distance, i] : found)
    result.push_back(entries.ids.const_data_ptr<std::int64_t>()[i]);
  return result;
}

}  // namespace

TEST_CASE("shards and parts of shards together give what one index gives, ties included") {
  const test::TemporaryFolder folder;
  const auto codebook = test::quick_codebook();
  // 30 different keys, far apart: most distances tie 66 times, more than a scan's first margin.
  const at::Tensor keys = (test::normal(30, 16, 4) * 4).repeat({66, 1});
  const auto entries = test::coded_entries(codebook, keys);
  const std::int64_t n = keys.size(0);
  const at::Tensor shuffled =
      at::argsort(at::remainder(at::arange(n, at::kLong) * 7919, n));  // files get sorted anyway
  index::write_local_index(folder / "all", codebook, test::select(entries, shuffled));
  std::vector<fs::path> shards;
  for (std::int64_t s = 0; s < 3; ++s) {
    shards.push_back(folder / std::to_string(s));
    index::write_local_index(shards.back(), codebook,
                             test::select(entries, at::arange(s, n, 3, at::kLong)));
  }
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(test::clustered(40, 16, 11));
  const auto probes = quantizer.probe(rotated, 4);
  const auto one = index::load_local_index(codebook, {folder / "all"});
  CHECK(one->entries() == n);
  CHECK(one->bytes() > n * 12);
  const auto merged = index::load_local_index(codebook, shards);
  const auto even = index::load_local_index(codebook, shards, {.part = 0, .parts = 2});
  const auto odd = index::load_local_index(codebook, shards, {.part = 1, .parts = 2});
  CHECK(even->entries() + odd->entries() == n);

  for (const std::int64_t k : {1, 16, 100}) {
    const test::HostTopK expected = one->search(rotated, probes, k);
    const test::HostTopK found = merged->search(rotated, probes, k);
    CHECK(found.ids == expected.ids);
    CHECK(found.distances == expected.distances);
    const test::HostTopK a = even->search(rotated, probes, k);
    const test::HostTopK b = odd->search(rotated, probes, k);
    for (std::int64_t i = 0; i < 40; ++i) {
      std::vector<std::pair<float, std::int64_t>> both;
      for (auto j = static_cast<std::size_t>(i * k); j < static_cast<std::size_t>((i + 1) * k);
           ++j) {
        for (const auto* part : {&a, &b}) {
          if (part->ids[j] >= 0) {
            both.emplace_back(part->distances[j], core::entry_number_of(part->ids[j]));
          }
        }
      }
      std::sort(both.begin(), both.end());
      both.resize(std::min(both.size(), static_cast<std::size_t>(k)));
      for (std::size_t j = 0; j < both.size(); ++j) {
        const auto position = static_cast<std::size_t>(i * k) + j;
        CHECK(core::entry_number_of(expected.ids[position]) == both[j].second);
      }
    }
  }
}

TEST_CASE("neighbours are those of plain arithmetic; what is missing is marked") {
  const test::TemporaryFolder folder;
  const auto codebook = test::quick_codebook();
  const auto entries = test::coded_entries(codebook, test::clustered(60, 16, 21), 1000);
  index::write_local_index(folder / "all", codebook, entries);
  const auto index = index::load_local_index(codebook, {folder / "all"});
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(test::clustered(20, 16, 22));
  const auto probes = quantizer.probe(rotated, 3);
  const test::HostTopK found = index->search(rotated, probes, 60);
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto expected =
        plain_search(codebook, entries, rotated.select(0, i), probes.lists.select(0, i));
    std::int64_t different = 0;
    for (std::size_t j = 0; j < 60; ++j) {
      const std::size_t position = static_cast<std::size_t>(i) * 60 + j;
      if (j < expected.size()) {
        different += found.ids[position] != expected[j] ? 1 : 0;
      } else {
        CHECK(found.ids[position] == index::missing_id);
        CHECK(found.distances[position] == index::missing_distance);
      }
    }
    CHECK(different <= 4);  // neighbours nearer to each other than the rounding
  }
  const auto empty = index::load_local_index(codebook, {});
  CHECK(empty->entries() == 0);
  CHECK(test::HostTopK(empty->search(rotated, probes, 2)).ids == std::vector<std::int64_t>(40, -1));
  CHECK(index->search(rotated.narrow(0, 0, 0), quantizer.probe(rotated.narrow(0, 0, 0), 3), 2)
            .ids.numel() == 0);
}

TEST_CASE("faiss opens the files and finds the same neighbours") {
  const test::TemporaryFolder folder;
  const auto codebook = test::quick_codebook();
  const auto path = folder / "all";
  index::write_local_index(path, codebook,
                           test::coded_entries(codebook, test::clustered(3000, 16, 31)));
  const std::unique_ptr<faiss::Index> opened(faiss::read_index(path.c_str()));
  CHECK(opened->ntotal == 3000);
  auto* ivf =
      dynamic_cast<faiss::IndexIVF*>(dynamic_cast<faiss::IndexPreTransform&>(*opened).index);
  REQUIRE(ivf != nullptr);
  ivf->nprobe = 4;
  const at::Tensor queries = test::clustered(50, 16, 32);
  std::vector<float> distances(500);
  std::vector<decltype(faiss::Index::ntotal)> ids(500);
  opened->search(50, queries.const_data_ptr<float>(), 10, distances.data(), ids.data());
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(queries);
  const test::HostTopK found =
      index::load_local_index(codebook, {path})->search(rotated, quantizer.probe(rotated, 4), 10);
  int same = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    CHECK(found.distances[i] == Approx(distances[i]).epsilon(1e-3).margin(1e-3));
    same += found.ids[i] == ids[i] ? 1 : 0;
  }
  CHECK(same > 490);  // equal but for the order of near ties
}

TEST_CASE("files are the same bytes in whatever order the entries came") {
  const test::TemporaryFolder folder;
  const auto codebook = test::quick_codebook();
  const auto entries = test::coded_entries(codebook, test::clustered(500, 16, 41));
  index::write_local_index(folder / "a", codebook, entries);
  index::write_local_index(folder / "b", codebook,
                           test::select(entries, at::arange(500, at::kLong).flip(0)));
  CHECK(core::read_file(folder / "a") == core::read_file(folder / "b"));
}

TEST_CASE("files that do not fit are refused by name") {
  const test::TemporaryFolder folder;
  const auto codebook = test::quick_codebook();
  const auto path = folder / "all";
  index::write_local_index(path, codebook,
                           test::coded_entries(codebook, test::clustered(500, 16, 51)));
  CHECK_THROWS_WITH(index::load_local_index(test::quick_codebook(2), {path}),
                    Catch::Contains(path.string()) && Catch::Contains("another codebook"));
  const std::string bytes = core::read_file(path);
  for (const std::size_t length : {bytes.size() - 1, bytes.size() - 3000, bytes.size() / 3}) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, length);
    CHECK_THROWS_AS(index::load_local_index(codebook, {path}), core::InputError);
  }
  std::ofstream(path, std::ios::binary) << std::string(5000, 'x');
  CHECK_THROWS_WITH(index::load_local_index(codebook, {path}), Catch::Contains(path.string()));
  CHECK_THROWS_WITH(index::load_local_index(codebook, {folder / "none"}),
                    Catch::Contains("no such file"));
}
