#include "stages/sweep/report.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"
#include "obs/table.hpp"

namespace knnseq::stages {

using obs::Cells;

namespace {

constexpr double wanted_recall = 0.9;
constexpr std::int64_t usual_k = 16;

struct Choice {
  const SweepRow* row;
  const SweepPoint* point;
};

/// The fastest setting of a share that reaches the wanted recall, else the one with the highest.
std::optional<Choice> best_index(const SweepResult& result, std::int64_t share, std::size_t k) {
  std::optional<Choice> best;
  for (const auto& row : result.rows) {
    if (row.share != share) continue;
    for (const auto& point : row.points) {
      if (!best) {
        best = {&row, &point};
        continue;
      }
      const double recall = point.recalls[k];
      const double best_recall = best->point->recalls[k];
      const bool faster = point.microseconds_per_query < best->point->microseconds_per_query;
      const bool both = recall >= wanted_recall && best_recall >= wanted_recall;
      if (both || recall == best_recall ? faster : recall > best_recall) best = {&row, &point};
    }
  }
  return best;
}

std::string with_setting(const SweepRow& row, const SweepPoint& point) {
  return point.setting.empty() ? row.index : row.index + ", " + point.setting;
}

std::string best_of_share(const SweepResult& result, std::int64_t share) {
  const auto usual = std::find(result.k.begin(), result.k.end(), usual_k);
  const std::size_t k = usual == result.k.end()
                            ? result.k.size() - 1
                            : static_cast<std::size_t>(usual - result.k.begin());
  const auto best = best_index(result, share, k);
  const std::string of = share == 1 ? "all entries" : share_name(share) + " of the entries";
  if (!best) return fmt::format("{}: nothing was measured\n", of);
  const double recall = best->point->recalls[k];
  return fmt::format(
      "{}: {} is {}: recall@{} {:.3f}, {:.0f} µs a query, {:.0f} bytes an entry\n", of,
      with_setting(*best->row, *best->point),
      recall >= wanted_recall
          ? fmt::format("the fastest with recall@{} of {} or more", result.k[k], wanted_recall)
          : fmt::format("the best, none reaching recall@{} of {}", result.k[k], wanted_recall),
      result.k[k], recall, best->point->microseconds_per_query, best->row->bytes_per_entry);
}

}  // namespace

std::string sweep_table(const SweepResult& result) {
  Cells header = {"index", "share", "setting", "entries"};
  for (const auto k : result.k) header.push_back(fmt::format("recall@{}", k));
  for (const char* name : {"us/query", "bytes/entry", "train s", "add s"})
    header.emplace_back(name);
  std::vector<Cells> lines = {header};
  std::string notes;
  std::vector<std::int64_t> shares;
  for (const auto& row : result.rows) {
    if (std::find(shares.begin(), shares.end(), row.share) == shares.end()) {
      shares.push_back(row.share);
    }
    if (!row.note.empty()) {
      notes += fmt::format("{} over {}: {}\n", row.index, share_name(row.share), row.note);
    }
    for (const auto& point : row.points) {
      Cells cells = {row.index, share_name(row.share), point.setting,
                     obs::with_commas(row.entries)};
      for (const auto recall : point.recalls) cells.push_back(fmt::format("{:.4f}", recall));
      cells.push_back(fmt::format("{:.1f}", point.microseconds_per_query));
      cells.push_back(fmt::format("{:.1f}", row.bytes_per_entry));
      cells.push_back(fmt::format("{:.1f}", row.train_seconds));
      cells.push_back(fmt::format("{:.1f}", row.add_seconds));
      lines.push_back(std::move(cells));
    }
  }
  std::string text =
      obs::markdown_table(lines, 3, header.size()) + "\n" + notes + (notes.empty() ? "" : "\n");
  for (const auto share : shares) text += best_of_share(result, share);
  return text;
}

std::string sweep_csv(const SweepResult& result) {
  Cells header = {"index", "metric", "share", "entries", "setting"};
  for (const auto k : result.k) header.push_back(fmt::format("recall@{}", k));
  for (const char* name : {"microseconds_per_query", "bytes_per_entry", "train_seconds",
                           "add_seconds", "queries", "ranks", "threads", "note"}) {
    header.emplace_back(name);
  }
  std::string text = obs::csv_line(header);
  for (const auto& row : result.rows) {
    const auto line = [&](const std::string& setting, const Cells& figures) {
      Cells cells = {row.index, result.metric, share_name(row.share), std::to_string(row.entries),
                     setting};
      cells.insert(cells.end(), figures.begin(), figures.end());
      for (const auto count : {row.queries, row.ranks, result.threads}) {
        cells.push_back(std::to_string(count));
      }
      cells.push_back(row.note);
      text += obs::csv_line(cells);
    };
    for (const auto& point : row.points) {
      Cells figures;
      for (const auto recall : point.recalls) figures.push_back(fmt::format("{:.6f}", recall));
      for (const auto figure : {point.microseconds_per_query, row.bytes_per_entry,
                                row.train_seconds, row.add_seconds}) {
        figures.push_back(fmt::format("{:.3f}", figure));
      }
      line(point.setting, figures);
    }
    if (row.points.empty()) line("", Cells(result.k.size() + 4));  // for the note
  }
  return text;
}

}  // namespace knnseq::stages
