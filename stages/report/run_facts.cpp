#include "stages/report/run_facts.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <regex>
#include <tuple>

#include "core/json_field.hpp"
#include "runtime/run_directory.hpp"

namespace knnseq::stages {

namespace {

/// Of "2026-11-29T11:26:06Z"; 0 for anything else.
double seconds_of(const std::string& time) {
  std::tm parts{};
  if (::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return 0;
  return static_cast<double>(::timegm(&parts));
}

std::string text_of(const core::Json& json, const char* name) {
  const auto field = json.find(name);
  return field != json.end() && field->is_string() ? field->get<std::string>() : std::string();
}

/// Of "opq iteration 3/25: mean squared error 11.8459", as training logs it.
std::optional<std::pair<std::string, double>> iteration_of(const std::string& message) {
  static const std::regex form(R"((\w+) iteration \d+/\d+: mean squared error ([0-9.e+-]+))");
  std::smatch parts;
  if (!std::regex_match(message, parts, form)) return {};
  return {{parts[1], std::strtod(parts[2].str().c_str(), nullptr)}};
}

}  // namespace

LogFacts read_log(const std::filesystem::path& run_dir) {
  LogFacts facts;
  std::ifstream log(run_dir / "log.jsonl");
  for (std::string line; std::getline(log, line);) {
    const auto json = core::Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) continue;
    const auto event = text_of(json, "event"), stage = text_of(json, "stage");
    if (event == "stage_begin") {
      facts.errors.erase(stage);
    } else if (event == "stage_done") {
      facts.ended[stage] = text_of(json, "time");
    } else if (event == "warning") {
      const auto message = text_of(json, "message");
      const auto same = std::ranges::find_if(facts.warnings, [&](const LoggedWarning& warning) {
        return warning.stage == stage && warning.message == message;
      });
      if (same != facts.warnings.end()) {
        ++same->times;
      } else {
        facts.warnings.push_back({stage, message});
      }
    } else if (event == "iteration") {
      if (const auto made = iteration_of(text_of(json, "message"))) {
        facts.errors[stage][made->first].push_back(made->second);
      }
    }
  }
  return facts;
}

std::vector<RecordedStep> read_steps(const std::filesystem::path& run_dir, const LogFacts& log) {
  std::vector<RecordedStep> steps;
  const auto folder = run_dir / runtime::records_name;
  if (!std::filesystem::is_directory(folder)) return steps;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    RecordedStep step{file.path().stem().string(), core::read_json(file.path())};
    const auto logged = log.ended.find(step.name);
    const auto ended = text_of(step.record, "ended");
    step.ended = seconds_of(!ended.empty()              ? ended
                            : logged != log.ended.end() ? logged->second
                                                        : std::string());
    // Times have whole seconds, the record says how many there were.
    step.began =
        step.ended - core::JsonField(file.path().string(), step.record).at("seconds_max").finite();
    steps.push_back(std::move(step));
  }
  std::ranges::sort(steps, [](const RecordedStep& a, const RecordedStep& b) {
    return std::tie(a.began, a.name) < std::tie(b.began, b.name);
  });
  return steps;
}

}  // namespace knnseq::stages
