// How long the stages of a run will take, by those of another.
#pragma once

#include <optional>
#include <string>

#include "stages/plan/rates.hpp"

namespace knnseq::stages {

/// The operations of a stage (partition, encode, train, add), up to a factor that depends on the
/// machine: multiplications where they dominate, else tokens.
double stage_work(const std::string& stage, const Options& options, const Needs& needs);

/// Seconds of such a stage on `ranks` ranks like those that were measured; none without a record.
/// Within 25 % where the index type is the measured one.
std::optional<double> planned_seconds(const std::string& stage, const Options& options,
                                      const Needs& needs, std::int64_t ranks, const Rates& rates);

/// Tokens a second of all `ranks` for an item of decode. Without kNN and in subsets as was
/// measured; in the whole datastore what kNN adds to a token grows with the entries that a query is
/// compared with. None without a record of an item of the same kind, or, for kNN, without one of
/// its base.
std::optional<double> planned_speed(const DecodeOptions& decoding, const Needs& needs,
                                    std::int64_t ranks, const Rates& rates);

}  // namespace knnseq::stages
