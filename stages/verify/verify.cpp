#include "stages/verify/verify.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "obs/terminal.hpp"
#include "runtime/progress.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/verify/plan_verification.hpp"
#include "stages/verify/run_check.hpp"

namespace knnseq::stages {

namespace {

/// Rank 0's list, on all ranks.
std::vector<Check> all_checks(runtime::StageContext& context) {
  core::Json found = core::Json::array();
  comm::on_root(context.comm, [&] {
    for (const auto& check : plan_verification(context.run_dir)) found.push_back(to_json(check));
    if (found.empty()) {
      throw core::InputError(context.run_dir,
                             "holds no stage's work; run 'knnseq partition' first");
    }
  });
  std::vector<Check> checks;
  for (const auto& check : core::Json::parse(context.comm.broadcast_string(found.dump()))) {
    checks.push_back(check_from(check));
  }
  return checks;
}

/// The rank of each check: the largest first, each to the rank with the fewest bytes so far.
std::vector<int> deal(const std::vector<Check>& checks, int ranks) {
  std::vector<std::size_t> order(checks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return checks[a].bytes > checks[b].bytes; });
  std::vector<std::int64_t> load(ranks, 0);
  std::vector<int> dealt(checks.size());
  for (const auto i : order) {
    const auto least = std::min_element(load.begin(), load.end());
    dealt[i] = static_cast<int>(least - load.begin());
    *least += checks[i].bytes + 1;
  }
  return dealt;
}

/// The damage that this rank has found: {number of the check: [line …]}.
core::Json run_checks(runtime::StageContext& context, const std::vector<Check>& checks) {
  std::int64_t total = 0;
  for (const auto& check : checks) total += check.bytes;
  const auto dealt = deal(checks, context.comm.size());
  runtime::Progress progress(context, "bytes", total);
  core::Json damages = core::Json::object();
  bool stopped = false;
  for (std::size_t i = 0; i < checks.size() && !stopped; ++i) {
    if (dealt[i] != context.comm.rank()) continue;
    const auto lines = run_check(context.run_dir, checks[i]);
    if (!lines.empty()) damages[std::to_string(i)] = lines;
    progress.add(checks[i].bytes);
    stopped = runtime::stop_requested();
  }
  progress.finish();
  if (!context.comm.all(!stopped)) {
    comm::agree(context.comm, [] { throw core::Stopped("stopped by SIGUSR1"); });
  }
  return damages;
}

struct Row {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::int64_t damages = 0;
};

void print(const std::vector<Check>& checks, const core::Json& damages) {
  std::vector<std::string> folders;
  std::map<std::string, Row> rows;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const auto& check = checks[i];
    if (!rows.contains(check.folder)) folders.push_back(check.folder);
    auto& row = rows[check.folder];
    row.files += check.files;
    row.bytes += check.bytes;
    row.damages += std::ssize(damages.value(std::to_string(i), core::Json::array()));
  }
  std::string text =
      fmt::format("{:<28} {:>8} {:>12} {:>8}\n", "folder", "files", "bytes", "damages");
  for (const auto& folder : folders) {
    const auto& row = rows[folder];
    text += fmt::format("{:<28} {:>8} {:>12} {:>8}\n", obs::printable(folder),
                        obs::with_commas(row.files), obs::as_bytes(row.bytes),
                        obs::with_commas(row.damages));
  }
  for (std::size_t i = 0; i < checks.size(); ++i) {
    for (const auto& line : damages.value(std::to_string(i), core::Json::array())) {
      text += obs::printable(line.get<std::string>()) + "\n";
    }
  }
  obs::print(text);
}

}  // namespace

void verify(runtime::StageContext& context) {
  context.log.set_stage("verify");
  const auto checks = all_checks(context);
  core::Json damages = core::Json::object();
  for (const auto& of_rank : comm::gather_json(context.comm, run_checks(context, checks))) {
    damages.update(of_rank);
  }
  if (context.comm.is_root()) print(checks, damages);
  std::size_t count = 0;
  for (const auto& lines : damages) count += lines.size();
  comm::agree(context.comm, [&] {
    if (count == 0) return;
    throw core::InputError(context.run_dir,
                           fmt::format("damaged files or ranges: {}, listed above", count));
  });
}

}  // namespace knnseq::stages
