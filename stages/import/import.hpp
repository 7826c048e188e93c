// Stage import: a datastore of keys and values that another program has stored.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Makes of the files of `import:` what partition and encode make of text, and of its index, if
/// there is one, what train and add make: corpus/, datastore/, codebook/ and index/, with the same
/// manifests, which name the origin beside. There is no text: each entry counts as a sentence of
/// its own, whose source is empty. Ranks share the shards, and read their rows in blocks. Each of
/// the folders is resumed as its stage resumes. Throws core::InputError (on all ranks) if something
/// does not fit the model, the config or the keys. Collective.
void import_datastore(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
