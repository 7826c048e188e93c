// All ranks translate blocks of sentences together, whatever they search in.
#pragma once

#include <cstdint>
#include <vector>

#include "retrieval/knn_mixer.hpp"
#include "retrieval/subset/subset_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/translation/block_work.hpp"

namespace knnseq::stages {

/// Translates blocks until there are none left, or a rank is asked to stop; mixer: null without
/// kNN. A block's bytes depend on its own sentences alone, and not on the ranks. Collective;
/// without exchange where the mixer has none.
void translate_blocks(runtime::StageContext& context, const BlockTools& tools,
                      const BlockWork& work, retrieval::KnnMixer* mixer);

/// What a translation memory gives: the target of the most similar source, whatever the model says.
/// Its score is minus the distance of the two. Collective.
void recall_blocks(runtime::StageContext& context, const BlockTools& tools, const BlockWork& work,
                   retrieval::SubsetSearch& memory);

/// The places of those sources that are not empty, cut into blocks of sentences of similar length,
/// longest first: the same for any number of ranks.
std::vector<std::vector<std::int64_t>> cut_blocks(
    const std::vector<std::vector<core::TokenId>>& sources, std::int64_t block_sentences);

}  // namespace knnseq::stages
