// What encode makes of text, of keys that are there.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/import/import_corpus.hpp"

namespace knnseq::stages {

/// Makes datastore/, in which keys keep the type that they come in, and the config's training
/// sample lies aside. Interrupted work resumes at the unit that it had reached. Collective.
void import_keys(runtime::StageContext& context, const Options& options, const Origin& origin);

}  // namespace knnseq::stages
