#include <memory>

#include <catch2/catch.hpp>
#include <faiss/Index.h>
#include <faiss/IndexIDMap.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "index/faiss_io/export_index.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
namespace fs = std::filesystem;

namespace {

using FaissId = decltype(faiss::Index::ntotal);

/// Every third entry to each of three shards, the rows of one in another order.
std::vector<fs::path> write_shards(const test::TemporaryFolder& folder,
                                   const index::Codebook& codebook,
                                   const index::CodedEntries& entries) {
  std::vector<fs::path> shards;
  for (std::int64_t s = 0; s < 3; ++s) {
    at::Tensor rows = at::arange(s, entries.ids.numel(), 3, at::kLong);
    if (s == 1) rows = rows.flip(0);
    shards.push_back(folder / std::to_string(s));
    index::write_local_index(shards.back(), codebook, test::select(entries, rows));
  }
  return shards;
}

struct Found {
  std::vector<float> distances;
  std::vector<FaissId> ids;
};

Found search(const fs::path& path, const at::Tensor& queries) {
  const std::unique_ptr<faiss::Index> index(faiss::read_index(path.c_str()));
  const auto n = static_cast<std::size_t>(queries.size(0)) * 5;
  Found found{std::vector<float>(n), std::vector<FaissId>(n)};
  index->search(queries.size(0), queries.const_data_ptr<float>(), 5, found.distances.data(),
                found.ids.data());
  return found;
}

void ignore(std::span<const std::int64_t>) {}

}  // namespace

TEST_CASE("all shards become one faiss file with entry numbers as ids, the same for any shards") {
  const auto [factory, metric] =
      GENERATE(table<std::string, std::string>({{"Flat", "ip"},
                                                {"PCA8,Flat", "cos"},
                                                {"PQ4", "l2"},
                                                {"OPQ4_8,PQ4", "cos"},
                                                {"IVF8,Flat", "cos"},
                                                {"OPQ4_8,IVF8,PQ4", "ip"},
                                                {"IVF8_HNSW4,PQ4", "l2"},
                                                {"PQ8x4fs", "l2"},
                                                {"HNSW8", "l2"},
                                                {"PCA8,HNSW8", "ip"}}));
  INFO(factory << " " << metric);
  const test::TemporaryFolder folder;
  const auto codebook =
      test::random_codebook(index::parse_index_spec(factory, test::key_width, metric));
  const auto entries = test::coded_entries(codebook, test::clustered(600, test::key_width, 3));
  const auto shards = write_shards(folder, codebook, entries);
  index::write_local_index(folder / "all", codebook, entries);

  std::vector<std::int64_t> values(600, -1);
  const index::IdBounds bounds{97, 600};
  const auto see = [&](std::span<const std::int64_t> ids) {
    for (const auto id : ids) {
      values[core::entry_number_of(id)] = core::token_of(id);
    }
  };
  CHECK(index::export_index(folder / "merged", codebook, shards, bounds, bounds.entries, see) == 0);
  for (std::int64_t i = 0; i < 600; ++i) CHECK(values[i] == i % 97);
  index::export_index(folder / "copied", codebook, {folder / "all"}, bounds, bounds.entries,
                      ignore);
  CHECK(core::read_file(folder / "merged") == core::read_file(folder / "copied"));

  // The one shard holds its entries in the same order: faiss finds the same, except for the tokens.
  const at::Tensor queries = test::clustered(40, test::key_width, 32);
  const auto whole = search(folder / "all", queries);
  const auto merged = search(folder / "merged", queries);
  CHECK(merged.distances == whole.distances);
  for (std::size_t i = 0; i < whole.ids.size(); ++i) {
    CHECK(merged.ids[i] == (whole.ids[i] < 0 ? -1 : core::entry_number_of(whole.ids[i])));
  }
  const std::unique_ptr<faiss::Index> index(faiss::read_index((folder / "merged").c_str()));
  CHECK(index->ntotal == 600);
  CHECK(dynamic_cast<faiss::IndexIDMap*>(index.get()) == nullptr);
}

TEST_CASE(
    "entries that are missing, twice or of another codebook are refused, and no file is left") {
  const std::string factory = GENERATE("IVF8,PQ4", "PQ4");
  const test::TemporaryFolder folder;
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, test::key_width));
  const auto path = folder / "merged";
  const at::Tensor keys = test::clustered(60, test::key_width, 3);
  const auto shards = write_shards(folder, codebook, test::coded_entries(codebook, keys));
  index::IdBounds bounds{97, 60};
  const auto refused = [&](const std::vector<fs::path>& files) {
    CHECK_THROWS_AS(index::export_index(path, codebook, files, bounds, bounds.entries, ignore),
                    core::InputError);
    CHECK_FALSE(fs::exists(path));
    CHECK_FALSE(fs::exists(path.string() + ".tmp"));
  };
  refused({shards[0], shards[1]});
  refused({shards[0], shards[1], shards[1]});
  refused({shards[0], shards[1], folder / "none"});
  const auto other = test::random_codebook(codebook.spec, 50);
  index::write_local_index(folder / "other", other, test::coded_entries(other, keys));
  refused({folder / "other"});

  for (const index::IdBounds wrong : {index::IdBounds{97, 61}, {97, 59}, {59, 60}}) {
    bounds = wrong;
    refused(shards);
  }
  bounds = {97, 60};
  const auto stop = [](std::span<const std::int64_t>) { throw core::Stopped("enough"); };
  CHECK_THROWS_AS(index::export_index(path, codebook, shards, bounds, bounds.entries, stop),
                  core::Stopped);
  CHECK_FALSE(fs::exists(path));
}
