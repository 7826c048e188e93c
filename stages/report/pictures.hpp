// The report's own pictures, as SVG documents.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace knnseq::stages {

/// One row of a time line.
struct TimeRow {
  std::string name;
  std::vector<std::pair<double, double>> spans;  ///< began and ended: seconds since 1970, ascending
};

/// A bar for each span. Times in which nothing worked are cut out.
std::string time_line(const std::vector<TimeRow>& rows);

/// How many lists have how many entries; sizes [lists], at least one.
std::string list_sizes_picture(const std::vector<std::int64_t>& sizes);

/// Mean squared errors by iteration, a line for each thing that was trained.
std::string errors_picture(const std::map<std::string, std::vector<double>>& errors);

/// A score with its interval, for each system.
struct ScoredSystem {
  std::string name;
  double score = 0;
  double interval = 0;  ///< half of it
};
std::string scores_picture(const std::string& metric, const std::vector<ScoredSystem>& systems);

}  // namespace knnseq::stages
