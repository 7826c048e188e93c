#include "stages/plan/plan.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/error.hpp"
#include "index/search/local_index.hpp"
#include "obs/host_name.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "obs/table.hpp"
#include "obs/terminal.hpp"
#include "stages/plan/measure.hpp"
#include "stages/plan/planned_time.hpp"
#include "stages/plan/proposals.hpp"
#include "stages/run/check.hpp"
#include "stages/shared/plan/planned_bytes.hpp"
#include "stages/shared/plan/planned_memory.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// Of a corpus that is not there: tokens of a side for each sentence pair.
constexpr std::int64_t usual_length = 27;

/// The wanted entries, in sentences like those of the rates, of the config's text or of no text.
Needs scaled(Needs needs, std::int64_t entries, const std::optional<Rates>& rates) {
  if (entries == 0) return needs;
  const CorpusSize like = rates                      ? rates->needs.corpus
                          : needs.corpus.entries > 0 ? needs.corpus
                                                     : CorpusSize{1, usual_length, usual_length};
  const double factor = static_cast<double>(entries) / static_cast<double>(like.entries);
  const auto of = [&](std::int64_t count) {
    return std::llround(static_cast<double>(count) * factor);
  };
  needs.corpus = {of(like.sentences), of(like.source_tokens), entries, true};
  return needs;
}

Cluster cluster_of(comm::Communicator& comm, const PlanOptions& options) {
  std::set<std::string> hosts;
  std::int64_t free = 0;
  const core::Json mine = {{"name", obs::host_name()}, {"free", obs::available_memory_bytes()}};
  for (const auto& rank : comm::gather_json(comm, mine)) {
    hosts.insert(rank.at("name").get<std::string>());
    free = std::max(free, rank.at("free").get<std::int64_t>());
  }
  Cluster cluster{comm.size(), std::ssize(hosts), free};
  if (options.ranks > 0) cluster.ranks = options.ranks;
  if (options.nodes > 0) cluster.nodes = options.nodes;
  if (options.node_memory > 0) cluster.node_bytes = options.node_memory << 30;
  return cluster;
}

std::int64_t ranks_a_node(const Cluster& cluster) {
  return (cluster.ranks + cluster.nodes - 1) / cluster.nodes;
}

/// What a node would hold of all that an item searches in.
std::int64_t copy_bytes(const DecodeOptions& item, const Options& options, const Needs& needs,
                        const Cluster& cluster) {
  if (item.mode == KnnMode::plain) return index_bytes(needs);
  const auto [shared, of_rank] = subset_copy(options, needs);
  return shared + ranks_a_node(cluster) * of_rank;
}

/// The options with what knn.copies: auto will choose on these nodes.
Options with_copies(Options options, const Needs& needs, const Cluster& cluster) {
  for (auto& item : options.decode) {
    if (item.copies != IndexCopies::automatic) continue;
    const bool plain = item.mode == KnnMode::plain;
    const bool shared = !plain || index::lies_in_shared_memory(needs.index, item.search.backend);
    const bool fits = shared && copy_bytes(item, options, needs, cluster) <= cluster.node_bytes;
    const bool spread = plain && shared && cluster.nodes > 1 && cluster.ranks > cluster.nodes;
    item.copies = fits ? IndexCopies::node : spread ? IndexCopies::nodes : IndexCopies::job;
  }
  return options;
}

std::string counted(std::int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", obs::with_commas(count), what, count == 1 ? "" : "s");
}

/// What a stage took beside what grows with its work, by its record; a guess without one.
std::int64_t fixed_memory(const std::string& stage, const Needs& needs,
                          const std::optional<Rates>& rates) {
  const std::int64_t guess = program_bytes + 2 * needs.model_bytes;
  if (!rates) return guess;
  std::int64_t peak = 0;
  std::int64_t ranks = 1;
  for (const auto& [step, record] : rates->records) {
    if (step != stage && !(stage == "decode" && step.starts_with("decode-"))) continue;
    const auto bytes = record.at("peak_memory_max_bytes").get<std::int64_t>();
    if (bytes <= peak) continue;
    peak = bytes;
    ranks = record.at("ranks").get<std::int64_t>();
  }
  if (peak == 0) return guess;
  for (const auto& grown : plan_memory(rates->options, rates->needs, ranks)) {
    if (grown.stage == stage) peak -= grown.of_rank + grown.of_host;
  }
  return std::max(peak, program_bytes);
}

class PlanTable {
 public:
  PlanTable(const Options& options, const Needs& needs, const Cluster& cluster,
            const std::optional<Rates>& rates)
      : options_(options), needs_(needs), cluster_(cluster), rates_(rates) {}

  std::string text() const {
    std::vector<obs::Cells> lines = {
        {"stage", "written", "memory a rank", "memory a node", "time"}};
    std::int64_t disk = 0;
    double seconds = 0;
    for (const auto& folder : plan_folders(options_, needs_)) {
      const auto time = seconds_of(folder.stage);
      disk += folder.bytes;
      seconds += time.value_or(0);
      lines.push_back({folder.stage, obs::as_bytes(folder.bytes), memory(folder.stage, false),
                       memory(folder.stage, true), time ? obs::as_duration(*time) : "-"});
    }
    for (const auto& item : options_.decode) {
      const auto speed =
          rates_ ? planned_speed(item, needs_, cluster_.ranks, *rates_) : std::nullopt;
      const auto part = !item.knn                     ? "decode alone"
                        : item.mode == KnnMode::plain ? "decode"
                                                      : subset_decoding;
      lines.push_back({"decode " + item.name, "-", memory(part, false), memory(part, true),
                       speed ? obs::with_commas(std::llround(*speed)) + " tokens/s" : "-"});
    }
    lines.push_back({"all", obs::as_bytes(disk), "", "",
                     rates_ ? obs::as_duration(seconds) + " without decode" : "-"});
    return obs::markdown_table(lines, 1, 5);
  }

 private:
  std::optional<double> seconds_of(const std::string& stage) const {
    if (!rates_) return {};
    return planned_seconds(stage, options_, needs_, cluster_.ranks, *rates_);
  }

  /// "decode alone": without an index.
  std::string memory(const std::string& stage, bool of_node) const {
    StageMemory part{stage};
    const auto parts = plan_memory(options_, needs_, cluster_.ranks);
    if (stage != "decode alone") {
      const auto found = std::ranges::find(parts, stage, &StageMemory::stage);
      if (found == parts.end()) return "-";
      part = *found;
    }
    const auto rank = fixed_memory(stage.substr(0, stage.find(' ')), needs_, rates_) + part.of_rank;
    if (!of_node) return obs::as_bytes(rank + part.of_host);
    return obs::as_bytes(ranks_a_node(cluster_) * rank + part.of_host);
  }

  const Options& options_;
  const Needs& needs_;
  const Cluster& cluster_;
  const std::optional<Rates>& rates_;
};

}  // namespace

void plan(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("plan");
  auto& comm = context.comm;
  const auto& wanted = options.plan;
  Needs needs = count_needs(context, options, wanted.entries == 0 || !wanted.measure.empty());

  std::optional<Rates> rates;
  comm::agree(comm, [&] {
    if (!wanted.rates.empty()) rates = read_rates(wanted.rates);
  });
  if (!wanted.measure.empty()) {
    rates = measure_rates(context, options, needs);
    comm::on_root(comm, [&] { write_rates(wanted.measure, *rates); });
    context.log.info("wrote " + wanted.measure.string());
  }
  needs = scaled(needs, wanted.entries, rates);
  const Cluster cluster = cluster_of(comm, wanted);
  if (!comm.is_root()) return;

  obs::print(fmt::format("{}, {}{} entries of width {}; {} on {}\n\n",
                         counted(needs.corpus.sentences, "sentence pair"),
                         needs.corpus.estimated ? "about " : "",
                         obs::with_commas(needs.corpus.entries), needs.width,
                         counted(cluster.ranks, "rank"), counted(cluster.nodes, "node")));
  const Options chosen = with_copies(options, needs, cluster);
  obs::print(PlanTable(chosen, needs, cluster, rates).text());
  if (!rates) {
    obs::print(
        "\nno times, and memory by rule of thumb: --measure FILE takes rates on this machine "
        "(minutes), --rates takes a file of it, or a finished run directory\n");
  } else if (rates->needs.index != needs.index || rates->needs.width != needs.width) {
    obs::print(fmt::format("\nthe rates are those of {} over width {}: times are less certain\n",
                           rates->needs.index.factory(), rates->needs.width));
  }
  obs::print("\nproposed:\n");
  for (const auto& line : propose(needs, cluster)) obs::print("  " + line + "\n");
}

}  // namespace knnseq::stages
