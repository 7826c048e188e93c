// What is to be taken out.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// What the command line and its file ask for.
struct RemovalRequest {
  std::set<std::string> corpora;                        ///< as a whole
  std::map<std::string, std::set<std::int64_t>> lines;  ///< of a corpus, from 0

  core::Json to_json() const;
  static RemovalRequest from_json(const core::Json& json);
};

/// Reads what is to be taken out of `datastore`. `file` may be empty; each of its lines is the name
/// of a corpus, a tab, and the number of a line of that corpus's text, from 1, as `inspect` prints
/// it; empty lines do not count. Throws core::InputError naming the file and its line, or the name.
RemovalRequest read_removal_request(const BuiltDatastore& datastore,
                                    const std::vector<std::string>& names,
                                    const std::filesystem::path& file);

}  // namespace knnseq::stages
