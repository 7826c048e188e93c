#include <map>
#include <set>

#include <catch2/catch.hpp>
#include <faiss/Index.h>
#include <faiss/index_io.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "index/faiss_io/export_index.hpp"
#include "index/prune/like_entries.hpp"
#include "index/prune/prune_shards.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t entry_count = 500;
constexpr std::int64_t first_number = 1000;
const index::IdBounds bounds{3, first_number + entry_count};

/// Entries of three tokens, numbered from first_number on.
index::CodedEntries few_tokens(const index::Codebook& codebook) {
  auto entries = test::coded_entries(codebook, test::clustered(entry_count, test::key_width, 3));
  auto* ids = entries.ids.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < entry_count; ++i) {
    ids[i] = core::pack_entry_id(static_cast<core::TokenId>(i % 7 / 3), first_number + i);
  }
  return entries;
}

/// fp64 [n, d_out]: residuals as coded, or vectors where there is no quantiser.
at::Tensor decoded(const index::Codebook& codebook, const index::CodedEntries& entries) {
  const auto& spec = codebook.spec;
  if (!spec.has_quantizer()) {
    return at::from_blob(entries.codes.data_ptr(), {entries.ids.numel(), spec.d_out}, at::kFloat)
        .to(at::kDouble);
  }
  std::vector<at::Tensor> parts;
  for (std::int64_t s = 0; s < spec.m; ++s) {
    parts.push_back(
        codebook.pq_centroids[s].index_select(0, entries.codes.select(1, s).to(at::kLong)));
  }
  return at::cat(parts, 1).to(at::kDouble);
}

/// By the definition: one entry after another, each beside all that are left of its list.
std::set<std::int64_t> plainly_alike(const index::Codebook& codebook,
                                     const index::CodedEntries& entries, index::LikeRule rule,
                                     const std::set<std::int64_t>& dropped) {
  const at::Tensor vectors = decoded(codebook, entries);
  const auto n = entries.ids.numel();
  const auto* ids = entries.ids.const_data_ptr<std::int64_t>();
  const auto* lists = entries.lists.const_data_ptr<std::int32_t>();
  std::set<std::int64_t> gone = dropped;
  std::set<std::int64_t> alike;
  for (std::int64_t i = 0; i < n; ++i) {
    if (gone.contains(core::entry_number_of(ids[i]))) continue;
    const at::Tensor distances = (vectors - vectors[i]).square().sum(1);
    std::vector<std::pair<double, bool>> nearest;  // and whether the token is the same
    for (std::int64_t j = 0; j < n; ++j) {
      if (j == i || lists[j] != lists[i] || gone.contains(core::entry_number_of(ids[j]))) continue;
      nearest.emplace_back(distances[j].item<double>(),
                           core::token_of(ids[j]) == core::token_of(ids[i]));
    }
    if (std::ssize(nearest) < rule.neighbours) continue;
    std::sort(nearest.begin(), nearest.end());
    nearest.resize(static_cast<std::size_t>(rule.neighbours));
    const bool all = std::all_of(nearest.begin(), nearest.end(), [&](const auto& neighbour) {
      return neighbour.first <= rule.radius && neighbour.second;
    });
    if (!all) continue;
    gone.insert(core::entry_number_of(ids[i]));
    alike.insert(core::entry_number_of(ids[i]));
  }
  return alike;
}

index::EntrySet empty_set() { return {first_number, entry_count}; }

std::set<std::int64_t> numbers_in(const index::EntrySet& entries) {
  std::set<std::int64_t> numbers;
  for (std::int64_t i = 0; i < entry_count; ++i) {
    if (entries.contains(first_number + i)) numbers.insert(first_number + i);
  }
  return numbers;
}

/// Writes each `parts`-th entry to one of as many files.
std::vector<fs::path> write_parts(const test::TemporaryFolder& folder,
                                  const index::Codebook& codebook,
                                  const index::CodedEntries& entries, std::int64_t parts) {
  std::vector<fs::path> files;
  for (std::int64_t part = 0; part < parts; ++part) {
    files.push_back(folder / fmt::format("{}-of-{}", part, parts));
    const at::Tensor rows = at::arange(part, entry_count, parts, at::kLong);
    index::write_local_index(files.back(), codebook, test::select(entries, rows));
  }
  return files;
}

void uncounted(std::int64_t) {}

}  // namespace

TEST_CASE("like entries are those that the definition names, for any shards and parts") {
  const std::string factory = GENERATE("OPQ4_8,IVF4,PQ4", "IVF4,Flat");
  INFO(factory);
  const test::TemporaryFolder folder;
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, test::key_width));
  const auto entries = few_tokens(codebook);

  at::Tensor residuals = decoded(codebook, entries);
  if (!codebook.spec.has_quantizer()) {
    residuals = residuals - codebook.coarse_centroids.index_select(0, entries.lists.to(at::kLong));
  }
  const double spread = residuals.square().sum().item<double>();
  std::set<std::int64_t> dropped_numbers;
  auto dropped = empty_set();
  for (std::int64_t number = first_number; number < first_number + entry_count; number += 7) {
    dropped.insert(number);
    dropped_numbers.insert(number);
  }
  CHECK(dropped.count() == std::ssize(dropped_numbers));
  const std::int64_t neighbours = GENERATE(1, 2);
  const index::LikeRule rule{neighbours, static_cast<float>(0.4 * spread / entry_count)};
  const auto expected = plainly_alike(codebook, entries, rule, dropped_numbers);
  REQUIRE(expected.size() > 5);
  REQUIRE(expected.size() < 400);

  for (const int parts : {1, 3}) {
    auto found = empty_set();
    double sum = 0;
    std::int64_t counted = 0;
    for (int part = 0; part < parts; ++part) {
      const index::IndexLists lists{codebook, write_parts(folder, codebook, entries, parts), bounds,
                                    part, parts};
      found.insert(index::find_like_entries(lists, rule, dropped,
                                            [&](std::int64_t more) { counted += more; }));
      for (const auto of_list : index::list_spreads(lists, uncounted)) sum += of_list;
    }
    CHECK(numbers_in(found) == expected);
    CHECK(sum == Approx(spread));
    CHECK(counted == entry_count);
  }
}

TEST_CASE("a pruned shard is the file that was written with the kept entries only") {
  const auto [factory, metric] =
      GENERATE(table<std::string, std::string>({{"Flat", "ip"},
                                                {"PQ4", "l2"},
                                                {"IVF4,Flat", "cos"},
                                                {"OPQ4_8,IVF4,PQ4", "l2"},
                                                {"IVF4_HNSW4,PQ4", "l2"},
                                                {"PQ8x4fs", "l2"},
                                                {"HNSW8", "l2"}}));
  INFO(factory << " " << metric);
  const test::TemporaryFolder folder;
  const auto codebook =
      test::random_codebook(index::parse_index_spec(factory, test::key_width, metric));
  const auto entries = few_tokens(codebook);
  index::write_local_index(folder / "all", codebook, entries);
  auto dropped = empty_set();
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < entry_count; ++i) {
    if (i % 5 == 1) {
      dropped.insert(first_number + i);
    } else {
      kept.push_back(i);
    }
  }
  const auto keep = [&](std::int64_t entry) {
    return dropped.contains(entry) ? std::int64_t{-1} : entry;
  };
  const auto pruned =
      index::write_pruned_shard(folder / "pruned", codebook, folder / "all", bounds, keep);
  CHECK(pruned.entries == std::ssize(kept));
  index::write_local_index(folder / "kept", codebook, test::select(entries, at::tensor(kept)));
  CHECK(core::read_file(folder / "pruned") == core::read_file(folder / "kept"));

  // Exported, its ids are the numbers that the entries had.
  std::set<std::int64_t> seen;
  const auto see = [&](std::span<const std::int64_t> ids) {
    for (const auto id : ids) seen.insert(core::entry_number_of(id) - first_number);
  };
  index::export_index(folder / "exported", codebook, {folder / "pruned"}, bounds, pruned.entries,
                      see);
  CHECK(seen == std::set<std::int64_t>(kept.begin(), kept.end()));
  const std::unique_ptr<faiss::Index> exported(faiss::read_index((folder / "exported").c_str()));
  const at::Tensor query = test::clustered(entry_count, test::key_width, 3).narrow(0, 0, 1);
  std::vector<float> distances(5);
  std::vector<decltype(faiss::Index::ntotal)> found(5);
  exported->search(1, query.const_data_ptr<float>(), 5, distances.data(), found.data());
  for (const auto number : found) CHECK(seen.contains(number - first_number));
  CHECK_THROWS_WITH(index::export_index(folder / "refused", codebook, {folder / "pruned"}, bounds,
                                        pruned.entries + 1, see),
                    Catch::Contains("run 'knnseq prune --force'"));
}

TEST_CASE("entries are not compared where there are no lists") {
  const auto codebook = test::random_codebook(index::parse_index_spec("PQ4", test::key_width));
  CHECK_THROWS_WITH(index::LikeEntries(codebook),
                    Catch::Contains("datastore.prune.distance") && Catch::Contains("PQ4 has none"));
}
