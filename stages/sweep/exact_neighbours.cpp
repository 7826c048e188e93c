#include "stages/sweep/exact_neighbours.hpp"

#include "core/entry_id.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "retrieval/exact_search.hpp"
#include "stages/sweep/share.hpp"

namespace knnseq::stages {

ExactAnswers find_exactly(runtime::StageContext& context, const KeySource& source,
                          const runtime::ShardTeam& team, const ExactTask& task) {
  index::Codebook plain;  // nothing but what the metric does to vectors
  plain.spec.d_in = plain.spec.d_out = task.queries.size(1);
  plain.spec.metric = task.metric;
  const auto shares = std::ssize(task.shares);
  retrieval::ExactSearch search(index::rotate_vectors(plain, task.queries), task.metric, shares,
                                task.k);
  ExactAnswers found;
  found.entries.resize(task.shares.size());
  visit_own_keys(context, source, team, [&](const KeyUnit& unit) {
    std::vector<std::int64_t> entries(unit.ids.size(0));
    std::vector<std::uint64_t> subsets(entries.size(), 0);
    const auto* ids = unit.ids.const_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      entries[i] = core::entry_number_of(ids[i]);
      for (std::size_t share = 0; share < task.shares.size(); ++share) {
        if (!in_share(entries[i], task.shares[share])) continue;
        subsets[i] |= std::uint64_t{1} << share;
        ++found.entries[share];
      }
    }
    search.add({index::rotate_vectors(plain, unit.keys), entries, subsets});
  });
  context.comm.all_reduce(found.entries, comm::Reduction::sum);
  for (std::int64_t share = 0; share < shares; ++share) {
    found.truth.push_back(retrieval::merge_over_ranks(context.comm, search.result(share)));
  }
  return found;
}

}  // namespace knnseq::stages
