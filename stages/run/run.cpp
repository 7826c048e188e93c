#include "stages/run/run.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "obs/progress_meter.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_record.hpp"
#include "stages/plan/planned_time.hpp"
#include "stages/report/report.hpp"
#include "stages/run/check.hpp"
#include "stages/stage_table.hpp"

namespace knnseq::stages {

namespace {

/// Names of the steps' records, in order. A step without a record has no line in the table.
std::vector<std::string> steps(const Options& options) {
  std::vector<std::string> all;
  for (const auto& stage : stage_table()) {
    if (!stage.items) continue;
    for (const auto& item : stage.items(options)) {
      for (const auto& made : stage.folders) {
        if (!made.wanted || made.wanted(options)) all.push_back(with_item(made.step, item));
      }
    }
  }
  return all;
}

/// What the rates tell of the first of the stages that are left, and of all of them.
std::string time_text(const runtime::StageContext& context, const Options& options,
                      const Needs& needs, const Rates& rates,
                      const std::vector<const Stage*>& left) {
  double all = 0;
  std::optional<double> first;
  for (const Stage* stage : left) {
    const auto seconds = planned_seconds(stage->name, options, needs, context.comm.size(), rates);
    if (stage == left.front()) first = seconds;
    all += seconds.value_or(0);
  }
  if (!first) return "";
  return fmt::format(", about {}; {} left but for decode", obs::as_duration(*first),
                     obs::as_duration(all));
}

}  // namespace

std::vector<std::string> commands(const Options& options) {
  std::vector<std::string> all;
  for (const auto& stage : stage_table()) {
    if (!stage.items) continue;
    for (const auto& item : stage.items(options)) {
      all.push_back(item.empty() ? stage.name : stage.name + " " + item);
    }
  }
  return all;
}

void run(runtime::StageContext& context, const Options& options) {
  const Needs needs = check_run(context, options, CheckScope::all);
  std::optional<Rates> rates;
  comm::agree(context.comm, [&] {
    if (!options.plan.rates.empty()) rates = read_rates(options.plan.rates);
  });
  std::vector<const Stage*> wanted;
  for (const auto& stage : stage_table()) {
    if (stage.items && !stage.items(options).empty()) wanted.push_back(&stage);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    context.log.set_stage("run");
    context.log.info(fmt::format(
        "stage {} of {}: {}{}", i + 1, wanted.size(), wanted[i]->name,
        rates ? time_text(context, options, needs, *rates,
                          {wanted.begin() + static_cast<std::ptrdiff_t>(i), wanted.end()})
              : ""));
    wanted[i]->run(context, options, {});
  }
  report(context);
  if (context.comm.is_root()) {
    obs::print(runtime::stage_table(context.run_dir, steps(options)));
  }
}

}  // namespace knnseq::stages
