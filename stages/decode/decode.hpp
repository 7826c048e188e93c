// Stage decode: translates test sets, with or without the datastore.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/search/resident.hpp"

namespace knnseq::stages {

/// Translates the test sets of `decode:` that are named (all if none is) into decode/<name>/:
/// src.txt, hyp.txt, ref.txt (where there is a reference) in the order of the input, and
/// nbest.jsonl. Collective.
void decode(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names);

/// Translates one test set into the folder decode_into/<decoding.name>, as a stage of the name
/// `prefix`-<decoding.name>, with what is resident already. Collective.
void decode_one(runtime::StageContext& context, const Options& options,
                const DecodeOptions& decoding, const std::filesystem::path& decode_into,
                const std::string& prefix, Resident& resident);

}  // namespace knnseq::stages
