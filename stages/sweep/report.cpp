#include "stages/sweep/report.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"

namespace knnseq::stages {

namespace {

constexpr double wanted_recall = 0.9;
constexpr std::int64_t usual_k = 16;

using Cells = std::vector<std::string>;

/// Columns of figures, from `first_figure` on, are set flush right.
std::string markdown(const std::vector<Cells>& lines, std::size_t first_figure) {
  std::vector<std::size_t> widths(lines.front().size(), 3);
  for (const auto& cells : lines) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], cells[i].size());
    }
  }
  std::string text;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const auto& cell = lines[line][i];
      text += i < first_figure ? fmt::format("| {:<{}} ", cell, widths[i])
                               : fmt::format("| {:>{}} ", cell, widths[i]);
    }
    text += "|\n";
    if (line > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += fmt::format("|{:-<{}}{}", "", widths[i] + 1, i < first_figure ? "-" : ":");
    }
    text += "|\n";
  }
  return text;
}

struct Choice {
  const SweepRow* row;
  const SweepPoint* point;
};

/// The fastest setting of a share that reaches the wanted recall, else the one with the highest.
std::optional<Choice> choose(const SweepResult& result, std::int64_t share, std::size_t k) {
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
      const bool faster = point.microseconds < best->point->microseconds;
      const bool both = recall >= wanted_recall && best_recall >= wanted_recall;
      if (both || recall == best_recall ? faster : recall > best_recall) best = {&row, &point};
    }
  }
  return best;
}

std::string with_setting(const SweepRow& row, const SweepPoint& point) {
  return point.setting.empty() ? row.factory : row.factory + ", " + point.setting;
}

std::string best_of_share(const SweepResult& result, std::int64_t share) {
  const auto usual = std::find(result.k.begin(), result.k.end(), usual_k);
  const std::size_t k = usual == result.k.end()
                            ? result.k.size() - 1
                            : static_cast<std::size_t>(usual - result.k.begin());
  const auto best = choose(result, share, k);
  const std::string of = share == 1 ? "all entries" : share_name(share) + " of the entries";
  if (!best) return fmt::format("{}: nothing was measured\n", of);
  const double recall = best->point->recalls[k];
  return fmt::format(
      "{}: {} is {}: recall@{} {:.3f}, {:.0f} µs a query, {:.0f} bytes an entry\n", of,
      with_setting(*best->row, *best->point),
      recall >= wanted_recall
          ? fmt::format("the fastest with recall@{} of {} or more", result.k[k], wanted_recall)
          : fmt::format("the best, none reaching recall@{} of {}", result.k[k], wanted_recall),
      result.k[k], recall, best->point->microseconds, best->row->bytes_per_entry);
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
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
      notes += fmt::format("{} over {}: {}\n", row.factory, share_name(row.share), row.note);
    }
    for (const auto& point : row.points) {
      Cells cells = {row.factory, share_name(row.share), point.setting,
                     obs::with_commas(row.entries)};
      for (const auto recall : point.recalls) cells.push_back(fmt::format("{:.4f}", recall));
      cells.push_back(fmt::format("{:.1f}", point.microseconds));
      cells.push_back(fmt::format("{:.1f}", row.bytes_per_entry));
      cells.push_back(fmt::format("{:.1f}", row.train_seconds));
      cells.push_back(fmt::format("{:.1f}", row.add_seconds));
      lines.push_back(std::move(cells));
    }
  }
  std::string text = markdown(lines, 3) + "\n" + notes + (notes.empty() ? "" : "\n");
  for (const auto share : shares) text += best_of_share(result, share);
  return text;
}

std::string sweep_csv(const SweepResult& result) {
  std::string text = "index,metric,share,entries,setting";
  for (const auto k : result.k) text += fmt::format(",recall@{}", k);
  text +=
      ",microseconds_per_query,bytes_per_entry,train_seconds,add_seconds,queries,ranks,threads,"
      "note\n";
  for (const auto& row : result.rows) {
    auto points = row.points;
    if (points.empty()) points.emplace_back();  // a line for the note
    for (const auto& point : points) {
      text += fmt::format("{},{},{},{},{}", quoted(row.factory), result.metric,
                          share_name(row.share), row.entries, quoted(point.setting));
      for (std::size_t i = 0; i < result.k.size(); ++i) {
        text += row.points.empty() ? "," : fmt::format(",{:.6f}", point.recalls[i]);
      }
      text += row.points.empty() ? "," : fmt::format(",{:.3f}", point.microseconds);
      text += row.points.empty() ? ",,,"
                                 : fmt::format(",{:.3f},{:.3f},{:.3f}", row.bytes_per_entry,
                                               row.train_seconds, row.add_seconds);
      text +=
          fmt::format(",{},{},{},{}\n", row.queries, row.ranks, result.threads, quoted(row.note));
    }
  }
  return text;
}

}  // namespace knnseq::stages
