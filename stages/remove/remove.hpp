// Stage remove: corpora, or single pairs, that are to be in the datastore no more.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Takes out the appended corpora that are named, and the pairs that the file remove.lines lists.
/// Text, keys and index of a corpus that loses pairs are written anew, shard by shard, into
/// remove/next/, from what is stored: no model runs, codes and codebook stay. Corpora behind it get
/// new entry numbers. When all is there it replaces the old files in one step (put_in_place.hpp);
/// a run that was killed before goes on where it stopped, one that was killed after finishes.
/// What else was made from those pairs, such as subsets, is removed. Throws core::InputError (on
/// all ranks) if something named is not there. Collective.
void remove(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names);

}  // namespace knnseq::stages
