#include "stages/shared/search/index_copies.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/shared_memory.hpp"
#include "core/error.hpp"
#include "index/search/local_index.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"

namespace knnseq::stages {

namespace {

/// Of memory that is free: the rest is for the model and what decoding holds.
constexpr double usable_share = 0.7;

index::IndexSpec spec_of(const BuiltDatastore& datastore) {
  return index::parse_index_spec(datastore.codebook.facts.factory,
                                 datastore.first().datastore.keys.width, "l2");
}

/// Codes, ids and terms (of vectors: norms) of all entries, with half a block of each list for
/// padding.
std::int64_t bytes_of(const index::IndexSpec& spec, std::int64_t entries) {
  constexpr std::int64_t beside_code = 12;
  constexpr std::int64_t padding = 32;
  return (entries + spec.nlist * padding) * (spec.code_bytes() + beside_code);
}

/// The choice with what is known of the ranks and nodes too; rank 0 logs it. Collective.
IndexCopies choose_among_ranks(runtime::StageContext& context, CopyFacts facts,
                               const char* of_what) {
  facts.ranks = context.comm.size();
  const auto node = context.comm.split_by_node();
  facts.can_share = context.comm.all(comm::can_share_memory(*node));
  facts.nodes =
      context.comm.all_reduce(std::int64_t{node->is_root() ? 1 : 0}, comm::Reduction::sum);
  facts.node_ranks = context.comm.all_reduce(std::int64_t{node->size()}, comm::Reduction::max);
  facts.even_nodes = context.comm.all(node->size() * facts.nodes == facts.ranks);
  facts.free_bytes = context.comm.all_reduce(
      facts.on_gpu ? context.placement.facts.free_bytes : obs::available_memory_bytes(),
      comm::Reduction::min);
  ChosenCopies chosen;
  comm::agree(context.comm, [&] { chosen = choose_copies(facts); });
  if (context.comm.is_root()) {
    context.log.info(fmt::format("one copy of {} {}{}: {}", of_what,
                                 chosen.copies == IndexCopies::nodes ? "over all " : "a ",
                                 core::name_of(chosen.copies), chosen.reason));
  }
  return chosen.copies;
}

}  // namespace

ChosenCopies choose_copies(const CopyFacts& facts) {
  const auto bytes = facts.index_bytes + facts.node_ranks * facts.rank_bytes;
  const auto fits =
      static_cast<double>(bytes) <= usable_share * static_cast<double>(facts.free_bytes);
  const std::string sizes = fmt::format("it takes {}, {} are free", obs::as_bytes(bytes),
                                        obs::as_bytes(facts.free_bytes));
  if (facts.in_subsets && facts.wanted == IndexCopies::nodes) {
    return {IndexCopies::job, "knn.copies: nodes is of plain kNN; subsets have no copy over nodes"};
  }
  const bool shared = in_node_memory(facts.wanted);
  if (shared && facts.on_gpu) {
    throw core::InputError(
        fmt::format("knn.copies: {} is for CPUs: GPUs do not read each other's memory",
                    core::name_of(facts.wanted)));
  }
  if (shared && !facts.shareable) {
    throw core::InputError(
        fmt::format("knn.copies: {} is for PQ, Flat and lists of PQ codes that knnseq's own code "
                    "searches (knn.backend: knnseq): faiss keeps all else in memory of its own",
                    core::name_of(facts.wanted)));
  }
  if (facts.wanted == IndexCopies::nodes && !facts.even_nodes) {
    throw core::InputError("knn.copies: nodes needs as many ranks on each node as on the others");
  }
  if (facts.wanted != IndexCopies::automatic) return {facts.wanted, "as knn.copies says"};
  if (facts.ranks == 1) return {IndexCopies::job, "there is one rank"};
  if (facts.on_gpu) {
    if (facts.shares_gpu) return {IndexCopies::job, "ranks share a GPU"};
    return {fits ? IndexCopies::device : IndexCopies::job, sizes + " on the GPU with least"};
  }
  if (!facts.shareable) {
    return {IndexCopies::job, "faiss keeps such an index in memory that ranks cannot share"};
  }
  if (!facts.can_share) {
    return {IndexCopies::job, "ranks of a node cannot open each other's memory (/proc/PID/fd)"};
  }
  const std::string reason = sizes + " on the node with least";
  if (fits) return {IndexCopies::node, reason};
  const bool nodes_can =
      !facts.in_subsets && facts.nodes > 1 && facts.nodes < facts.ranks && facts.even_nodes;
  return {nodes_can ? IndexCopies::nodes : IndexCopies::job, reason};
}

IndexCopies choose_copies(runtime::StageContext& context, const DecodeOptions& decoding,
                          const std::vector<BuiltDatastore>& datastores) {
  CopyFacts facts;
  facts.wanted = decoding.copies;
  facts.shares_gpu = context.placement.shares_gpu;
  const bool cuda = context.placement.device.cuda;
  facts.on_gpu = cuda;
  comm::agree(context.comm, [&] {
    for (const auto& datastore : datastores) {
      const auto spec = spec_of(datastore);
      const bool on_gpu = cuda && index::scans_on_gpu(spec, decoding.search.backend);
      facts.on_gpu = facts.on_gpu && on_gpu;
      facts.shareable =
          facts.shareable && !on_gpu && index::lies_in_shared_memory(spec, decoding.search.backend);
      facts.index_bytes += bytes_of(spec, datastore.searched_entries());
    }
  });
  return choose_among_ranks(context, facts, "the index");
}

IndexCopies choose_subset_copies(runtime::StageContext& context, IndexCopies wanted,
                                 const SubsetMemory& copy) {
  CopyFacts facts;
  facts.wanted = wanted;
  facts.in_subsets = true;
  facts.index_bytes = copy.shared;
  facts.rank_bytes = copy.of_rank;
  return choose_among_ranks(context, facts, "the subsets' codes");
}

}  // namespace knnseq::stages
