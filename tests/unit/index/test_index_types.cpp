#include <algorithm>
#include <memory>
#include <numeric>
#include <set>

#include <catch2/catch.hpp>
#include <faiss/IVFlib.h>
#include <faiss/Index.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "index/search/local_index.hpp"
#include "support/host_top_k.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
namespace fs = std::filesystem;

namespace {

index::Codebook random_codebook(const std::string& factory, const std::string& metric) {
  return test::random_codebook(index::parse_index_spec(factory, test::key_width, metric));
}

struct Type {
  std::string factory;
  std::string metric;
};

/// Keys of which many are equal.
at::Tensor some_keys() {
  return at::cat({test::clustered(400, test::key_width, 3),
                  test::normal(10, test::key_width, 4).repeat({20, 1})});
}

/// Every entry's distance to one query as the index should have it, computed in fp64.
std::vector<double> plain_distances(const index::Codebook& codebook,
                                    const index::CodedEntries& entries, const at::Tensor& query) {
  const auto& spec = codebook.spec;
  const auto n = entries.ids.numel();
  at::Tensor vectors;
  if (!spec.has_quantizer()) {
    vectors = entries.codes.view(at::kFloat).to(at::kDouble);
  } else {
    std::vector<at::Tensor> parts;
    for (std::int64_t s = 0; s < spec.m; ++s) {
      at::Tensor code = spec.nbits() == 8 ? entries.codes.select(1, s)
                        : s % 2 == 0      ? entries.codes.select(1, s / 2).bitwise_and(15)
                                          : entries.codes.select(1, s / 2).bitwise_right_shift(4);
      parts.push_back(at::index_select(codebook.pq_centroids.select(0, s), 0, code.to(at::kInt)));
    }
    vectors = at::cat(parts, 1).to(at::kDouble);
    if (spec.has_lists()) {
      vectors = vectors + at::index_select(codebook.coarse_centroids, 0, entries.lists);
    }
  }
  const at::Tensor wanted = query.to(at::kDouble);
  const at::Tensor distances = index::is_inner_product(spec.metric)
                                   ? -at::mv(vectors, wanted)
                                   : at::sum(at::square(vectors - wanted), {1});
  const double* data = distances.const_data_ptr<double>();
  return {data, data + n};
}

}  // namespace

TEST_CASE("every type and metric finds the nearest entries, ties by number, however it is parted") {
  const Type type = GENERATE(
      Type{"Flat", "l2"}, Type{"Flat", "ip"}, Type{"PCA8,Flat", "l2"}, Type{"PCA8,Flat", "cos"},
      Type{"PQ4", "l2"}, Type{"PQ4", "ip"}, Type{"OPQ4_8,PQ4", "cos"}, Type{"IVF8,Flat", "l2"},
      Type{"IVF8,Flat", "cos"}, Type{"IVF8,PQ4", "l2"}, Type{"OPQ4_8,IVF8,PQ4", "ip"},
      Type{"IVF8_HNSW4,PQ4", "l2"}, Type{"IVF8,PQ4", "cos"}, Type{"PCAW8,L2norm,IVF8,PQ4", "l2"},
      Type{"L2norm,Flat", "l2"});
  const auto backend = GENERATE(index::Backend::knnseq, index::Backend::faiss);
  INFO(type.factory << " " << type.metric);
  const test::TemporaryFolder folder;
  const auto codebook = random_codebook(type.factory, type.metric);
  const auto entries = test::coded_entries(codebook, some_keys(), 5000);
  const std::int64_t n = entries.ids.numel();
  index::write_local_index(folder / "all", codebook, entries);
  std::vector<fs::path> shards;
  for (std::int64_t s = 0; s < 3; ++s) {
    shards.push_back(folder / std::to_string(s));
    index::write_local_index(shards.back(), codebook,
                             test::select(entries, at::arange(s, n, 3, at::kLong)));
  }
  const index::VectorQuantizer vector_quantizer(codebook);
  const at::Tensor rotated = vector_quantizer.rotate(test::clustered(12, test::key_width, 9));
  const auto probes = vector_quantizer.probe(rotated, 4);
  const auto one = index::load_local_index(codebook, {folder / "all"},
                                           {.part = 0, .parts = 1, .backend = backend});
  CHECK(one->entries() == n);
  CHECK(one->bytes() >= n * codebook.spec.code_bytes());
  constexpr std::int64_t k = 33;
  const test::HostTopK found = one->search(rotated, probes, k);

  for (std::int64_t i = 0; i < rotated.size(0); ++i) {
    const auto distances = plain_distances(codebook, entries, rotated.select(0, i));
    std::set<std::int64_t> lists;
    for (std::int64_t j = 0; j < probes.lists.size(1); ++j) {
      lists.insert(probes.lists[i][j].item<std::int64_t>());
    }
    std::vector<double> candidates;
    for (std::int64_t entry = 0; entry < n; ++entry) {
      if (codebook.spec.has_lists() && !lists.contains(entries.lists[entry].item<int>())) continue;
      candidates.push_back(distances[entry]);
    }
    std::sort(candidates.begin(), candidates.end());
    std::set<std::int64_t> seen;
    for (std::int64_t j = 0; j < k; ++j) {
      const auto position = static_cast<std::size_t>(i * k + j);
      if (j >= std::ssize(candidates)) {
        CHECK(found.ids[position] == index::missing_id);
        continue;
      }
      const auto entry = core::entry_number_of(found.ids[position]) - 5000;
      REQUIRE((entry >= 0 && entry < n));
      CHECK(seen.insert(entry).second);
      CHECK(core::token_of(found.ids[position]) == (5000 + entry) % 97);
      const double expected = candidates[j];
      CHECK(found.distances[position] == Approx(expected).epsilon(1e-4).margin(1e-4));
      CHECK(distances[entry] == Approx(expected).epsilon(1e-4).margin(1e-4));
      if (j > 0 && found.distances[position] == found.distances[position - 1]) {
        CHECK(core::entry_number_of(found.ids[position - 1]) <
              core::entry_number_of(found.ids[position]));
      }
    }
  }

  const auto merged =
      index::load_local_index(codebook, shards, {.part = 0, .parts = 1, .backend = backend});
  CHECK(test::HostTopK(merged->search(rotated, probes, k)).ids == found.ids);
  const test::HostTopK from_memory =
      index::make_local_index(codebook, entries, {.part = 0, .parts = 1, .backend = backend})
          ->search(rotated, probes, k);
  CHECK(from_memory.ids == found.ids);
  const auto even =
      index::load_local_index(codebook, shards, {.part = 0, .parts = 2, .backend = backend});
  const auto odd =
      index::load_local_index(codebook, shards, {.part = 1, .parts = 2, .backend = backend});
  CHECK(even->entries() + odd->entries() == n);
  CHECK(std::min(even->entries(), odd->entries()) > n / 2 - 40);
  const test::HostTopK a = even->search(rotated, probes, n);
  const test::HostTopK b = odd->search(rotated, probes, n);
  const test::HostTopK all = one->search(rotated, probes, n);
  for (std::int64_t i = 0; i < rotated.size(0); ++i) {
    const auto row = static_cast<std::ptrdiff_t>(i * n);
    const auto ids_of = [&](const test::HostTopK& top) {
      std::vector<std::int64_t> ids(top.ids.begin() + row, top.ids.begin() + row + n);
      std::erase(ids, index::missing_id);
      return ids;
    };
    auto both = ids_of(a);
    const auto other = ids_of(b);
    both.insert(both.end(), other.begin(), other.end());
    auto whole = ids_of(all);
    std::sort(both.begin(), both.end());
    std::sort(whole.begin(), whole.end());
    CHECK(both == whole);
  }
}

TEST_CASE("graphs and 4-bit codes find most of the nearest; part 0 has them whole") {
  const Type type = GENERATE(Type{"HNSW8", "l2"}, Type{"HNSW8", "ip"}, Type{"PCA8,HNSW8", "cos"},
                             Type{"PQ8x4fs", "l2"}, Type{"PQ8x4fs", "ip"});
  INFO(type.factory << " " << type.metric);
  const test::TemporaryFolder folder;
  const auto codebook = random_codebook(type.factory, type.metric);
  const auto entries = test::coded_entries(codebook, test::clustered(600, test::key_width, 3));
  index::write_local_index(folder / "all", codebook, entries);
  const index::VectorQuantizer vector_quantizer(codebook);
  const at::Tensor rotated = vector_quantizer.rotate(test::clustered(20, test::key_width, 9));
  const auto probes = vector_quantizer.probe(rotated, 4);
  CHECK(probes.lists.size(1) == 0);
  const auto one = index::load_local_index(codebook, {folder / "all"});
  CHECK(one->entries() == 600);
  const test::HostTopK found = one->search(rotated, probes, 10);
  int near = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    auto distances = plain_distances(codebook, entries, rotated.select(0, i));
    const auto own = distances;
    std::sort(distances.begin(), distances.end());
    for (std::size_t j = 0; j < 10; ++j) {
      const auto id = found.ids[static_cast<std::size_t>(i) * 10 + j];
      REQUIRE(id >= 0);
      near += own[core::entry_number_of(id)] <= distances[12] ? 1 : 0;
    }
  }
  CHECK(near > 180);
  const auto first = index::load_local_index(codebook, {folder / "all"}, {.part = 0, .parts = 2});
  const auto second = index::load_local_index(codebook, {folder / "all"}, {.part = 1, .parts = 2});
  CHECK(first->entries() == 600);
  CHECK(second->entries() == 0);
  CHECK(test::HostTopK(first->search(rotated, probes, 10)).ids == found.ids);
  CHECK(test::HostTopK(second->search(rotated, probes, 10)).ids[0] == index::missing_id);
}

TEST_CASE("4-bit codes of many equal keys are searched") {
  const auto codebook = random_codebook("PQ8x4fs", "l2");
  const at::Tensor keys = test::normal(3, test::key_width, 4).repeat({400, 1});
  const auto entries = test::coded_entries(codebook, keys);
  const index::VectorQuantizer vector_quantizer(codebook);
  const at::Tensor rotated = vector_quantizer.rotate(keys.narrow(0, 0, 3));
  const test::HostTopK found = index::make_local_index(codebook, entries)
                                   ->search(rotated, vector_quantizer.probe(rotated, 1), 48);
  for (std::size_t i = 0; i < 48; ++i) {  // the key's own copies, by their numbers
    CHECK(core::entry_number_of(found.ids[i]) == static_cast<std::int64_t>(3 * i));
  }
}

TEST_CASE("a graph is walked as far as was asked last") {
  const auto codebook = random_codebook("HNSW4", "l2");
  const at::Tensor keys = test::normal(3000, test::key_width, 4);
  const auto index = index::make_local_index(codebook, test::coded_entries(codebook, keys));
  const at::Tensor queries = test::normal(50, test::key_width, 5);
  const auto distance_sum = [&](std::int64_t ef_search) {
    index->set_ef_search(ef_search);
    const test::HostTopK found = index->search(queries, {}, 4);
    return std::accumulate(found.distances.begin(), found.distances.end(), 0.0);
  };
  const double near = distance_sum(500);
  CHECK(distance_sum(4) > near);
  CHECK(distance_sum(500) == near);
}

TEST_CASE("faiss opens files of every type, and they are the same bytes each time") {
  const Type type =
      GENERATE(Type{"Flat", "ip"}, Type{"PCA8,Flat", "cos"}, Type{"PQ4", "l2"},
               Type{"OPQ4_8,PQ4", "cos"}, Type{"IVF8,Flat", "cos"}, Type{"OPQ4_8,IVF8,PQ4", "ip"},
               Type{"IVF8,PQ4", "cos"}, Type{"IVF8_HNSW4,PQ4", "l2"}, Type{"PQ8x4fs", "l2"},
               Type{"HNSW8", "l2"}, Type{"PCA8,HNSW8", "ip"}, Type{"PCAW8,L2norm,Flat", "l2"},
               Type{"L2norm,IVF8,PQ4", "l2"}, Type{"OPQ4_8,L2norm,PQ4", "l2"});
  INFO(type.factory << " " << type.metric);
  const test::TemporaryFolder folder;
  const auto codebook = random_codebook(type.factory, type.metric);
  const auto entries = test::coded_entries(codebook, test::clustered(600, test::key_width, 3));
  const auto path = folder / "all";
  index::write_local_index(path, codebook, entries);
  index::write_local_index(folder / "again", codebook,
                           test::select(entries, at::arange(600, at::kLong).flip(0)));
  CHECK(core::read_file(path) == core::read_file(folder / "again"));

  const std::unique_ptr<faiss::Index> opened(faiss::read_index(path.c_str()));
  CHECK(opened->ntotal == 600);
  CHECK(opened->d == test::key_width);
  faiss::Index* core = opened.get();
  if (codebook.spec.has_lists()) {
    auto* ivf = faiss::ivflib::extract_index_ivf(opened.get());
    ivf->nprobe = 4;
    if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(ivf->quantizer)) graph->hnsw.efSearch = 64;
  }
  if (auto* outer = dynamic_cast<faiss::IndexPreTransform*>(opened.get())) core = outer->index;
  if (auto* map = dynamic_cast<faiss::IndexIDMap*>(core)) core = map->index;
  if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(core)) graph->hnsw.efSearch = 64;
  const at::Tensor queries = test::clustered(30, test::key_width, 32);
  std::vector<float> distances(300);
  std::vector<decltype(faiss::Index::ntotal)> ids(300);
  opened->search(30, queries.const_data_ptr<float>(), 10, distances.data(), ids.data());
  const index::VectorQuantizer vector_quantizer(codebook);
  const at::Tensor rotated = vector_quantizer.rotate(queries);
  const test::HostTopK found = index::load_local_index(codebook, {path})
                                   ->search(rotated, vector_quantizer.probe(rotated, 4), 10);
  const float sign = index::is_inner_product(codebook.spec.metric) ? -1.0f : 1.0f;
  int different = 0;  // entries of (nearly) the same distance may stand in another order
  for (std::size_t i = 0; i < 300; ++i) {
    CHECK((found.ids[i] < 0) == (ids[i] < 0));
    if (ids[i] < 0) continue;
    CHECK(found.distances[i] == Approx(sign * distances[i]).epsilon(1e-3).margin(1e-3));
    different +=
        found.ids[i] != ids[i] && found.distances[i] != Approx(sign * distances[i]) ? 1 : 0;
  }
  CHECK(different < 6);
}

TEST_CASE("codebooks of every type survive their file") {
  const Type type = GENERATE(Type{"Flat", "ip"}, Type{"PCA8,Flat", "cos"}, Type{"PCA8,PQ4", "l2"},
                             Type{"IVF8,Flat", "cos"}, Type{"PQ8x4fs", "ip"}, Type{"HNSW8", "cos"},
                             Type{"IVF8_HNSW4,PQ4", "ip"});
  INFO(type.factory << " " << type.metric);
  const test::TemporaryFolder folder;
  const auto codebook = random_codebook(type.factory, type.metric);
  index::write_codebook(folder / "c", codebook);
  const auto read = index::read_codebook(folder / "c");
  CHECK(checksum(read) == checksum(codebook));
  CHECK(read.spec == codebook.spec);
  CHECK((read.coarse_graph != nullptr) == (codebook.spec.coarse_edges > 0));
  index::write_codebook(folder / "d", read);
  CHECK(core::read_file(folder / "c") == core::read_file(folder / "d"));
}

TEST_CASE("a graph over centroids finds nearly the lists that comparing finds") {
  const auto codebook = random_codebook("IVF200_HNSW16,PQ4", GENERATE("l2", "ip"));
  const index::VectorQuantizer vector_quantizer(codebook);
  const at::Tensor rotated = vector_quantizer.rotate(test::clustered(50, test::key_width, 9));
  const auto exact = vector_quantizer.probe(rotated, 8);
  const auto walked = vector_quantizer.probe(rotated, 8, index::Probing::hnsw);
  CHECK((exact.lists == walked.lists).sum().item<int>() > 300);
  CHECK(at::equal(exact.distances.select(1, 0), walked.distances.select(1, 0)) ==
        at::equal(exact.lists.select(1, 0), walked.lists.select(1, 0)));
  const index::VectorQuantizer plain(random_codebook("IVF8,PQ4", "l2"));
  CHECK_THROWS_AS(plain.probe(rotated, 2, index::Probing::hnsw), core::InputError);
}

TEST_CASE("cos does not see the length of keys and queries") {
  const auto codebook = random_codebook("IVF8,PQ4", "cos");
  const at::Tensor keys = test::clustered(30, test::key_width, 3);
  CHECK(at::allclose(index::rotate_vectors(codebook, keys * 7),
                     index::rotate_vectors(codebook, keys), 1e-5, 1e-6));
  CHECK(
      index::rotate_vectors(codebook, at::zeros({1, test::key_width})).abs().max().item<float>() ==
      0);
}
