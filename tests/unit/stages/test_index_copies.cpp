// Which memory holds a copy of the index: a table of cases.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/shared/search/index_copies.hpp"

using namespace knnseq;
using stages::CopyFacts;
using stages::IndexCopies;

namespace {

CopyFacts two_ranks(std::int64_t index_bytes, std::int64_t free_bytes) {
  return {.ranks = 2, .index_bytes = index_bytes, .free_bytes = free_bytes};
}

IndexCopies chosen(const CopyFacts& facts) { return stages::choose_copies(facts).copies; }

}  // namespace

TEST_CASE("the smallest memory that has room for the index holds it") {
  CopyFacts facts = two_ranks(60, 100);
  CHECK(chosen(facts) == IndexCopies::node);
  facts.index_bytes = 80;  // decoding needs memory too
  CHECK(chosen(facts) == IndexCopies::job);
  CHECK(stages::choose_copies(facts).reason.find("80 B, 100 B") != std::string::npos);
  facts.ranks = 4;
  facts.nodes = 2;
  CHECK(chosen(facts) == IndexCopies::nodes);
  facts.even_nodes = false;
  CHECK(chosen(facts) == IndexCopies::job);
  facts.even_nodes = true;
  facts.nodes = 4;  // each rank is a node
  CHECK(chosen(facts) == IndexCopies::job);
  facts = two_ranks(60, 100);
  facts.ranks = 1;
  CHECK(chosen(facts) == IndexCopies::job);
  facts = two_ranks(60, 100);
  facts.shareable = false;
  CHECK(chosen(facts) == IndexCopies::job);
  CHECK(stages::choose_copies(facts).reason.starts_with("faiss keeps such an index"));
  facts = two_ranks(60, 100);
  facts.can_share = false;
  CHECK(chosen(facts) == IndexCopies::job);
  CHECK(stages::choose_copies(facts).reason.find("/proc/PID/fd") != std::string::npos);
  facts = two_ranks(60, 100);
  facts.on_gpu = true;
  facts.shareable = false;
  CHECK(chosen(facts) == IndexCopies::device);
  facts.index_bytes = 80;
  CHECK(chosen(facts) == IndexCopies::job);
  facts.index_bytes = 60;
  facts.shares_gpu = true;
  CHECK(chosen(facts) == IndexCopies::job);
}

TEST_CASE("subsets have a copy a node, or one a job") {
  CopyFacts facts = two_ranks(40, 100);
  facts.in_subsets = true;
  facts.node_ranks = 2;
  facts.rank_bytes = 10;  // each rank's index of sentences
  CHECK(chosen(facts) == IndexCopies::node);
  facts.rank_bytes = 20;
  CHECK(chosen(facts) == IndexCopies::job);
  facts.ranks = 4;
  facts.nodes = 2;
  CHECK(chosen(facts) == IndexCopies::job);
  facts.wanted = IndexCopies::nodes;
  facts.rank_bytes = 0;
  CHECK(chosen(facts) == IndexCopies::job);
  CHECK(stages::choose_copies(facts).reason.find("of plain kNN") != std::string::npos);
  for (const auto copies : {IndexCopies::device, IndexCopies::node, IndexCopies::job}) {
    facts.wanted = copies;
    CHECK(chosen(facts) == copies);
  }
}

TEST_CASE("copies that the config asks for are made, or refused") {
  CopyFacts facts = two_ranks(60, 10);
  for (const auto copies : {IndexCopies::device, IndexCopies::node, IndexCopies::job}) {
    facts.wanted = copies;
    CHECK(chosen(facts) == copies);
  }
  facts.shareable = false;
  for (const auto& [copies, key] :
       {std::pair{IndexCopies::node, "knn.copies: node is for PQ, Flat"},
        {IndexCopies::nodes, "knn.copies: nodes is for PQ, Flat"}}) {
    facts.wanted = copies;
    CHECK_THROWS_AS(chosen(facts), core::InputError);
    CHECK_THROWS_WITH(chosen(facts), Catch::Contains(key) && Catch::Contains("knn.backend"));
  }
  facts.shareable = true;
  facts.wanted = IndexCopies::nodes;
  CHECK(chosen(facts) == IndexCopies::nodes);
  facts.even_nodes = false;
  CHECK_THROWS_WITH(chosen(facts), Catch::Contains("as many ranks on each node"));
  facts.wanted = IndexCopies::node;
  facts.on_gpu = true;
  CHECK_THROWS_WITH(chosen(facts), Catch::Contains("knn.copies: node is for CPUs"));
}
