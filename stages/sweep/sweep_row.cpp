#include "stages/sweep/sweep_row.hpp"

#include <fmt/format.h>

namespace knnseq::stages {

core::Json to_json(const SweepRow& row) {
  core::Json json = {{"index", row.factory},
                     {"share", row.share},
                     {"entries", row.entries},
                     {"train_seconds", row.train_seconds},
                     {"add_seconds", row.add_seconds},
                     {"bytes_per_entry", row.bytes_per_entry},
                     {"queries", row.queries},
                     {"ranks", row.ranks},
                     {"note", row.note},
                     {"points", core::Json::array()}};
  for (const auto& point : row.points) {
    json["points"].push_back({{"setting", point.setting},
                              {"recalls", point.recalls},
                              {"microseconds_per_query", point.microseconds}});
  }
  return json;
}

SweepRow sweep_row_from(const core::Json& json) {
  SweepRow row;
  json.at("index").get_to(row.factory);
  json.at("share").get_to(row.share);
  json.at("entries").get_to(row.entries);
  json.at("train_seconds").get_to(row.train_seconds);
  json.at("add_seconds").get_to(row.add_seconds);
  json.at("bytes_per_entry").get_to(row.bytes_per_entry);
  json.at("queries").get_to(row.queries);
  json.at("ranks").get_to(row.ranks);
  json.at("note").get_to(row.note);
  for (const auto& point : json.at("points")) {
    row.points.push_back({point.at("setting").get<std::string>(),
                          point.at("recalls").get<std::vector<double>>(),
                          point.at("microseconds_per_query").get<double>()});
  }
  return row;
}

core::Json to_json(const SweepResult& result) {
  core::Json json = {{"k", result.k},
                     {"threads", result.threads},
                     {"metric", result.metric},
                     {"rows", core::Json::array()}};
  for (const auto& row : result.rows) json["rows"].push_back(to_json(row));
  return json;
}

SweepResult sweep_result_from(const core::Json& json) {
  SweepResult result;
  json.at("k").get_to(result.k);
  json.at("threads").get_to(result.threads);
  json.at("metric").get_to(result.metric);
  for (const auto& row : json.at("rows")) result.rows.push_back(sweep_row_from(row));
  return result;
}

std::string share_name(std::int64_t share) {
  return share == 1 ? "all" : fmt::format("1/{}", share);
}

}  // namespace knnseq::stages
