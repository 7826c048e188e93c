// Flat and PQ without lists, as our own code searches them.
#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/Parallel.h>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "index/core/plain_distance.hpp"
#include "index/search/local_index.hpp"
#include "index/search/scan_centroids.hpp"
#include "support/host_top_k.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

constexpr std::int64_t n = 30'000;  // several pieces, and tiles of the product with many queries
constexpr std::int64_t d = 12;

struct Kind {
  std::string factory;
  std::string metric;
  float mean = 0;  ///< of all components of keys and queries
};

/// Half of the keys are copies of a hundred.
at::Tensor row_keys(float mean) {
  return at::cat({test::normal(n / 2, d, 3), test::normal(100, d, 4).repeat({n / 200, 1})}) + mean;
}

struct Rows {
  index::Codebook codebook;
  index::CodedEntries entries;
  at::Tensor queries;

  explicit Rows(const Kind& kind)
      : codebook(test::random_codebook(index::parse_index_spec(kind.factory, d, kind.metric))) {
    if (codebook.pq_centroids.defined()) codebook.pq_centroids += kind.mean;
    entries = test::coded_entries(codebook, row_keys(kind.mean), 1000);
    queries = index::rotate_vectors(codebook, test::normal(300, d, 9) + kind.mean);
  }

  const float* query(std::int64_t i) const { return queries.const_data_ptr<float>() + i * d; }
};

/// The distances of all entries from a query as FlatScan and PqScan state them, in fp32.
std::vector<float> stated_distances(const Rows& rows, std::int64_t i) {
  const auto& spec = rows.codebook.spec;
  const bool inner_product = index::is_inner_product(spec.metric);
  const float* query = rows.query(i);
  std::vector<float> distances;
  if (spec.storage == index::Storage::flat) {
    const at::Tensor vectors = rows.entries.codes.view(at::kFloat);
    for (std::int64_t entry = 0; entry < n; ++entry) {
      distances.push_back(index::plain_distance(spec.metric, query,
                                                vectors.const_data_ptr<float>() + entry * d, d));
    }
    return distances;
  }
  const index::ScanCentroids centroids(rows.codebook);
  const std::vector<float> zero(d, 0);
  const auto terms = centroids.terms_of(zero.data());
  std::vector<float> padded(spec.m * centroids.padded_dsub(), 0);
  centroids.pad(query, inner_product ? -1 : -2, padded.data());
  std::vector<std::int64_t> places(spec.m);
  std::iota(places.begin(), places.end(), 0);
  const float norm = index::sum_of_terms(query, query, d, [](float x, float y) { return x * y; });
  for (std::int64_t entry = 0; entry < n; ++entry) {
    const auto* code = rows.entries.codes.const_data_ptr<std::uint8_t>() + entry * spec.m;
    const float base = inner_product ? 0 : norm + index::term_of(terms.get(), code, spec.m);
    distances.push_back(base + centroids.dot(padded.data(), code, places.data()));
  }
  return distances;
}

/// Whether these are the k nearest of all in the order of (distance, entry number), to the bit.
bool are_nearest(const Rows& rows, std::int64_t i, const index::TopKRow& found) {
  const auto distances = stated_distances(rows, i);
  std::vector<std::pair<float, std::int64_t>> all;
  for (std::int64_t entry = 0; entry < n; ++entry) all.emplace_back(distances[entry], entry);
  std::sort(all.begin(), all.end());
  const auto* ids = rows.entries.ids.const_data_ptr<std::int64_t>();
  for (std::size_t j = 0; j < found.ids.size(); ++j) {
    if (found.distances[j] != all[j].first || found.ids[j] != ids[all[j].second]) return false;
  }
  return true;
}

bool equal_results(const index::TopK& a, const index::TopK& b) {
  return at::equal(a.distances, b.distances) && at::equal(a.ids, b.ids);
}

}  // namespace

TEST_CASE("without lists every distance is the stated one, whatever is searched together") {
  const Kind kind =
      GENERATE(Kind{"Flat", "l2"}, Kind{"Flat", "ip"}, Kind{"Flat", "cos"}, Kind{"Flat", "l2", 300},
               Kind{"PQ3", "l2"}, Kind{"PQ3", "ip"}, Kind{"PQ2", "cos"}, Kind{"PQ3", "l2", 300});
  INFO(kind.factory << " " << kind.metric << " " << kind.mean);
  const Rows rows(kind);
  const auto whole = index::make_local_index(rows.codebook, rows.entries);
  CHECK(whole->entries() == n);
  CHECK(whole->bytes() >= n * (rows.codebook.spec.code_bytes() + 12));
  constexpr std::int64_t k = 200;  // more than an entry has copies
  const auto together = whole->search(rows.queries, {}, k);
  for (const std::int64_t i : {0, 1, 150, 299}) CHECK(are_nearest(rows, i, together.row(i)));
  for (const std::int64_t i : {0, 7, 299}) {
    const auto alone = whole->search(rows.queries.narrow(0, i, 1), {}, k);
    CHECK(equal_results(alone, {together.distances.narrow(0, i, 1), together.ids.narrow(0, i, 1)}));
  }
  CHECK(equal_results(whole->search(rows.queries, {}, 3),
                      {together.distances.slice(1, 0, 3), together.ids.slice(1, 0, 3)}));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 3 : 1);
  CHECK(equal_results(whole->search(rows.queries, {}, k), together));
  at::set_num_threads(threads);
  CHECK(whole->search(rows.queries.narrow(0, 0, 0), {}, k).ids.numel() == 0);
}

TEST_CASE("rows are read from files piece by piece, also those of a part") {
  const Kind kind = GENERATE(Kind{"Flat", "l2"}, Kind{"PQ3", "ip"});
  const Rows rows(kind);
  const test::TemporaryFolder folder;
  std::vector<std::filesystem::path> shards;
  for (std::int64_t s = 0; s < 2; ++s) {
    shards.push_back(folder / std::to_string(s));
    index::write_local_index(shards.back(), rows.codebook,
                             test::select(rows.entries, at::arange(s, n, 2, at::kLong)));
  }
  shards.push_back(folder / "none");
  index::write_local_index(shards.back(), rows.codebook,
                           test::select(rows.entries, at::empty({0}, at::kLong)));
  const at::Tensor some = rows.queries.narrow(0, 0, 20);
  const auto expected = index::make_local_index(rows.codebook, rows.entries)->search(some, {}, 50);
  CHECK(equal_results(index::load_local_index(rows.codebook, shards)->search(some, {}, 50),
                      expected));
  std::int64_t entries = 0;
  std::vector<std::tuple<float, std::int64_t>> merged;
  for (std::int64_t part = 0; part < 3; ++part) {
    const auto index = index::load_local_index(rows.codebook, shards, {.part = part, .parts = 3});
    entries += index->entries();
    const auto found = index->search(some, {}, 50);
    for (std::size_t j = 0; j < 50; ++j) {
      merged.emplace_back(found.row(0).distances[j], core::entry_number_of(found.row(0).ids[j]));
    }
  }
  CHECK(entries == n);
  std::sort(merged.begin(), merged.end());
  for (std::size_t j = 0; j < 50; ++j) {
    CHECK(std::get<1>(merged[j]) == core::entry_number_of(expected.row(0).ids[j]));
  }
  CHECK(index::load_local_index(rows.codebook, {})->search(some, {}, 2).ids.max().item<int>() ==
        index::missing_id);
  // a file of rows, but of others
  const Rows others({kind.factory == "Flat" ? "PQ3" : "Flat", kind.metric});
  CHECK_THROWS_WITH(index::load_local_index(others.codebook, shards),
                    Catch::Contains("another codebook"));
  CHECK_THROWS_WITH(index::load_local_index(rows.codebook, shards, {.ids = {97, n}}),
                    Catch::Contains("holds the entry"));
}

TEST_CASE("PQ without lists loses no more than the norms' last bits, and faiss finds the same") {
  const Kind kind = GENERATE(Kind{"PQ3", "l2"}, Kind{"PQ3", "l2", 300}, Kind{"PQ3", "ip"});
  const Rows rows(kind);
  const at::Tensor decoded =
      index::pq_decode(rows.entries.codes, rows.codebook.pq_centroids).to(at::kDouble);
  const at::Tensor some = rows.queries.narrow(0, 0, 20);
  constexpr std::int64_t k = 16;
  const auto ours = index::make_local_index(rows.codebook, rows.entries)->search(some, {}, k);
  index::LocalIndexOptions faiss;
  faiss.backend = index::Backend::faiss;
  const auto theirs =
      index::make_local_index(rows.codebook, rows.entries, faiss)->search(some, {}, k);
  for (std::int64_t i = 0; i < some.size(0); ++i) {
    const at::Tensor query = some.select(0, i).to(at::kDouble);
    const double norm = query.dot(query).item<double>();
    for (std::int64_t j = 0; j < k; ++j) {
      const auto entry = core::entry_number_of(ours.row(i).ids[j]) - 1000;
      const at::Tensor vector = decoded.select(0, entry);
      const double exact = kind.metric == "ip" ? -vector.dot(query).item<double>()
                                               : at::square(vector - query).sum().item<double>();
      const double last_bit = 0x1p-23 * (norm + vector.dot(vector).item<double>());
      CHECK(std::abs(double{ours.row(i).distances[j]} - exact) <= 2 * last_bit);
      CHECK(std::abs(double{theirs.row(i).distances[j]} - exact) <= 2 * last_bit);
      CHECK(std::abs(double{ours.row(i).distances[j]} - theirs.row(i).distances[j]) <=
            4 * last_bit);
    }
  }
}

TEST_CASE("what our own code searches on the CPU lies in shared memory, what faiss has does not") {
  using index::Backend;
  const auto shared = [](const char* factory, Backend backend = Backend::knnseq) {
    return index::lies_in_shared_memory(index::parse_index_spec(factory, 64), backend);
  };
  for (const char* factory :
       {"IVF8,PQ8", "OPQ8,IVF8_HNSW4,PQ8", "PQ8", "OPQ8,PQ8", "Flat", "PCA8,Flat", "L2norm,Flat"}) {
    INFO(factory);
    CHECK(shared(factory));
    CHECK_FALSE(shared(factory, Backend::faiss));
  }
  for (const char* factory : {"IVF8,Flat", "HNSW8", "PCA8,HNSW8", "PQ8x4fs"}) {
    INFO(factory);
    CHECK_FALSE(shared(factory));
    CHECK_FALSE(shared(factory, Backend::faiss));
  }
}
