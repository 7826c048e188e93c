#include <filesystem>

#include "comm/agreement.hpp"
#include "comm/self_communicator.hpp"
#include "gpu/collectives.hpp"
#include "retrieval/distributed_search.hpp"
#include "support/mpi_main.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using test::world;

namespace {

struct Datastore {
  test::TemporaryFolder own;  ///< rank 0's is used
  std::filesystem::path folder{world().broadcast_string(own.path().string())};
  index::Codebook codebook;

  Datastore() : Datastore(test::quick_codebook()) {}

  /// Rank r's file holds the entries ≡ r (mod ranks); "all" holds all. Half of the keys repeat.
  explicit Datastore(index::Codebook of) : codebook(std::move(of)) {
    const at::Tensor keys =
        at::cat({test::clustered(600, 16, 3), test::normal(20, 16, 4).repeat({30, 1})});
    const auto entries = test::coded_entries(codebook, keys);
    const auto mine = at::arange(world().rank(), keys.size(0), world().size(), at::kLong);
    index::write_local_index(shard(world().rank()), codebook, test::select(entries, mine));
    if (world().is_root()) index::write_local_index(folder / "all", codebook, entries);
    world().barrier();
  }
  ~Datastore() { world().barrier(); }
  Datastore(const Datastore&) = delete;
  Datastore& operator=(const Datastore&) = delete;
  std::filesystem::path shard(int rank) const { return folder / std::to_string(rank); }
};

/// Rank r asks r + 1 queries, but every second rank none.
at::Tensor my_queries(std::uint64_t seed) {
  const std::int64_t count = world().rank() % 2 == 1 ? 0 : world().rank() + 1;
  return test::clustered(500, 16, seed + static_cast<std::uint64_t>(world().rank()))
      .narrow(0, 0, count)
      .contiguous();
}

bool same(const index::TopK& a, const index::TopK& b) {
  return at::equal(a.ids, b.ids) && at::equal(a.distances, b.distances);
}

/// Messages of the communicator, or tensors as between GPUs.
retrieval::SearchDevice exchanging(bool tensors) {
  if (!tensors) return {};
  return {at::kCPU, gpu::make_host_collectives(world())};
}

index::TopK search_alone(const Datastore& datastore, const at::Tensor& queries,
                         const retrieval::SearchOptions& options) {
  const auto self = comm::make_self_communicator();
  return retrieval::DistributedSearch(
             *self, datastore.codebook,
             index::load_local_index(datastore.codebook, {datastore.folder / "all"}), options)
      .search(queries);
}

}  // namespace

TEST_CASE("distributed search equals search in one index") {
  const bool tensors = GENERATE(false, true);
  const Datastore datastore;
  for (const retrieval::SearchOptions options :
       {retrieval::SearchOptions{16, 4}, retrieval::SearchOptions{1, 1},
        retrieval::SearchOptions{700, 100}}) {
    retrieval::DistributedSearch together(
        world(), datastore.codebook,
        index::load_local_index(datastore.codebook, {datastore.shard(world().rank())}), options,
        exchanging(tensors));
    for (std::uint64_t step = 0; step < 3; ++step) {
      const at::Tensor queries = my_queries(100 * step);
      const auto search = together.start(queries, {}, world().rank() * 10);
      search->serve();
      REQUIRE_ALL(search->statuses().size() == static_cast<std::size_t>(world().size()));
      REQUIRE_ALL(search->statuses().back() == (world().size() - 1) * 10);
      REQUIRE_ALL(same(search->finish(), search_alone(datastore, queries, options)));
    }
    REQUIRE_ALL(together.times().exchanges == 3);
    REQUIRE_ALL(together.times().scanned_queries >= 3);
  }
}

TEST_CASE("a rank may hold no entries, and no rank need ask anything") {
  const bool tensors = GENERATE(false, true);
  const Datastore datastore;
  const retrieval::SearchOptions options{16, 4};
  std::vector<std::filesystem::path> files;
  if (world().is_root()) files.push_back(datastore.folder / "all");
  retrieval::DistributedSearch together(world(), datastore.codebook,
                                        index::load_local_index(datastore.codebook, files), options,
                                        exchanging(tensors));
  const at::Tensor queries = my_queries(7);
  const auto found = together.search(queries);
  REQUIRE_ALL(at::equal(found.ids, search_alone(datastore, queries, options).ids));
  const auto nothing = together.search(queries.narrow(0, 0, 0));
  REQUIRE_ALL(nothing.ids.size(0) == 0 && nothing.ids.size(1) == 16);
}

TEST_CASE("two searches under way find what one index does, and one may go on without the other") {
  const Datastore datastore;
  const retrieval::SearchOptions options{16, 4};
  // Two datastores a step, as of an ensemble.
  std::vector<std::unique_ptr<retrieval::DistributedSearch>> datastores;
  for (int i = 0; i < 2; ++i) {
    datastores.push_back(std::make_unique<retrieval::DistributedSearch>(
        world(), datastore.codebook,
        index::load_local_index(datastore.codebook, {datastore.shard(world().rank())}), options));
  }
  REQUIRE_ALL(datastores[0]->lanes() == (world().size() > 1 ? 2 : 1));
  struct Step {
    at::Tensor queries;
    std::vector<std::unique_ptr<retrieval::PendingSearch>> searches;
  };
  std::uint64_t seed = 0;
  const auto start = [&](std::int64_t status) {
    Step step{my_queries(++seed), {}};
    for (const auto& search : datastores) {
      step.searches.push_back(search->start(step.queries, {}, status));
    }
    return step;
  };
  const auto serve = [](Step& step) {
    for (const auto& search : step.searches) search->serve();
  };
  const auto is_right = [&](Step& step, std::int64_t status) {
    const auto expected = search_alone(datastore, step.queries, options);
    bool right = true;
    for (const auto& search : step.searches) {
      right = right && search->statuses().back() == status && same(search->finish(), expected);
    }
    return right;
  };
  Step first = start(100);
  Step second = start(200);
  for (std::int64_t round = 1; round < 4; ++round) {
    serve(first);
    serve(second);
    REQUIRE_ALL(is_right(first, 99 + round));
    first = start(100 + round);
    REQUIRE_ALL(is_right(second, 199 + round));
    second = start(200 + round);
  }
  serve(first);
  serve(second);
  REQUIRE_ALL(is_right(first, 103));
  REQUIRE_ALL(is_right(second, 203));
  second = start(7);
  serve(second);
  REQUIRE_ALL(is_right(second, 7));
}

TEST_CASE("the ranks of a node fill one copy together, and each searches it by itself") {
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "OPQ4_8,PQ4", "Flat");
  const Datastore datastore(test::random_codebook(index::parse_index_spec(factory, 16)));
  const retrieval::SearchOptions options{16, 4};
  std::vector<std::filesystem::path> files;
  for (int rank = 0; rank < world().size(); ++rank) files.push_back(datastore.shard(rank));
  // As if every second rank ran on another node.
  const auto node = world().split(world().rank() % 2);
  index::LocalIndexOptions shared;
  shared.sharers = node.get();
  const auto one = index::load_local_index(datastore.codebook, files);
  auto copy = index::load_local_index(datastore.codebook, files, shared);
  REQUIRE_ALL(copy->entries() == one->entries());
  REQUIRE_ALL(copy->bytes() == one->bytes());
  // A part of it, as a node has with others.
  const auto even = index::load_local_index(datastore.codebook, files,
                                            {.part = 0, .parts = 2, .sharers = node.get()});
  const auto odd = index::load_local_index(datastore.codebook, files,
                                           {.part = 1, .parts = 2, .sharers = node.get()});
  REQUIRE_ALL(even->entries() + odd->entries() == one->entries() && odd->entries() > 0);
  retrieval::DistributedSearch alone(comm::self_communicator(), datastore.codebook, std::move(copy),
                                     options);
  REQUIRE_ALL(!alone.collective());
  if (world().rank() == 1) return;  // nobody waits for it
  const at::Tensor queries = test::clustered(70, 16, 3);
  const auto found = alone.search(queries);
  const auto expected = search_alone(datastore, queries, options);
  CHECK(at::equal(found.ids, expected.ids));
  CHECK(at::equal(found.distances, expected.distances));
}

TEST_CASE("a damaged file is an error of all ranks that would share its entries") {
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "Flat");
  const Datastore datastore(test::random_codebook(index::parse_index_spec(factory, 16)));
  index::LocalIndexOptions shared;
  shared.sharers = &world();
  const auto refused = [&](const std::vector<std::filesystem::path>& files,
                           const std::string& message) {
    try {
      index::load_local_index(datastore.codebook, files, shared);
    } catch (const comm::AgreedError& error) {
      return std::string(error.what()).find(message) != std::string::npos;
    }
    return false;
  };
  const auto missing = datastore.folder / "none";
  REQUIRE_ALL(refused({missing}, missing.string()));
  // An entry that only the rank sees which fills its rows: the last of one file.
  shared.ids.entries = 1199;
  std::vector<std::filesystem::path> files;
  for (int rank = 0; rank < world().size(); ++rank) files.push_back(datastore.shard(rank));
  REQUIRE_ALL(refused(files, "holds the entry 1199"));
}

TEST_CASE("settings can change between searches") {
  const bool tensors = GENERATE(false, true);
  const Datastore datastore;
  const retrieval::SearchOptions first{16, 1};
  const retrieval::SearchOptions second{5, 8};
  retrieval::DistributedSearch together(
      world(), datastore.codebook,
      index::load_local_index(datastore.codebook, {datastore.shard(world().rank())}), first,
      exchanging(tensors));
  const at::Tensor queries = my_queries(11);
  for (const auto& options : {first, second, first}) {
    together.set_options(options);
    const auto found = together.search(queries);
    REQUIRE_ALL(at::equal(found.ids, search_alone(datastore, queries, options).ids));
  }
  CHECK_THROWS(together.set_options(retrieval::SearchOptions{0, 1}));
}
