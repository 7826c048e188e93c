// The settings of a decoding: as JSON for people, and back from the manifest of a finished one.
#pragma once

#include <string>
#include <vector>

#include "stages/shared/search/open_mixer.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

/// A number in at most six digits, for people.
double short_number(double number);

/// Where a decoding searches, how its neighbours are mixed in, and its beam search: {"mode": "base"
/// (without kNN), "plain", "subset" or "memory", "k", "lambda", …}, as far as they have an effect.
/// docs/trace.md has the fields.
core::Json describe_settings(const Options& options, const DecodeOptions& decoding);

/// Gives `decoding`, and the subset of `options`, all settings that the manifest of a finished
/// decoding has. What it knows by fingerprints only (model, indexes, a policy's network) stays as
/// it is: see require_made_with(). Throws core::InputError naming the manifest if one is missing or
/// of another type, or `overrides` ("knn.k=8", as given to --set) have another value.
void adopt_settings(const store::Manifest& made, const std::vector<std::string>& overrides,
                    Options& options, DecodeOptions& decoding);

/// Throws core::InputError (on all ranks) naming what differs, if the finished decoding of this
/// manifest was made with other models, tokeniser, indexes or policy than these: its neighbours
/// would not be those that are found now. Collective.
void require_made_with(runtime::StageContext& context, const Options& options,
                       const DecodeOptions& decoding, const SearchedData& data,
                       const store::Manifest& made);

}  // namespace knnseq::stages
