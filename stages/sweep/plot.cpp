#include "stages/sweep/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "obs/svg.hpp"

namespace knnseq::stages {

namespace {

// Pixels.
constexpr double left = 70, top = 50, width = 560, height = 400, legend = left + width + 30;
constexpr double legend_line = 20;

// After Okabe and Ito, as bright as can be seen on white and on black.
constexpr std::array colours = {"#5b70cf", "#d9772b", "#2f9479", "#a2559c",
                                "#b08d00", "#3a93c4", "#b0564a", "#7f7f7f"};
constexpr std::array dashes = {"none", "7 4", "2 3", "10 3 2 3"};

/// How values become pixels.
struct Axes {
  double fastest = 1, slowest = 10;  ///< microseconds at the ends of the x axis
  double lowest = 0;                 ///< recall at the bottom; 1 at the top

  double x(double microseconds) const {
    return left + width * std::log(microseconds / fastest) / std::log(slowest / fastest);
  }
  double y(double recall) const { return top + height * (1 - recall) / (1 - lowest); }
};

Axes fit_axes(const SweepResult& result) {
  double fastest = INFINITY, slowest = 0, lowest = 1;
  for (const auto& row : result.rows) {
    for (const auto& point : row.points) {
      fastest = std::min(fastest, point.microseconds_per_query);
      slowest = std::max(slowest, point.microseconds_per_query);
      lowest = std::min(lowest, point.recalls.back());
    }
  }
  if (!(fastest <= slowest)) return {};
  return {fastest / 1.25, slowest * 1.25, std::clamp(std::floor(lowest * 10) / 10, 0.0, 0.9)};
}

std::string line_from(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", x1, y1,
                     x2, y2);
}

/// Powers of ten on the axis and, if they leave room, 2 and 5 times them.
std::vector<double> ticks_of(const Axes& axes) {
  const auto factors =
      axes.slowest > 1e4 * axes.fastest ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(axes.fastest))); power <= axes.slowest;
       power *= 10) {
    for (const double factor : factors) {
      const double tick = power * factor;
      if (tick >= axes.fastest && tick <= axes.slowest) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::string draw_axes(const Axes& axes, const SweepResult& result) {
  std::string grid, labels;
  for (const double tick : ticks_of(axes)) {
    grid += line_from(axes.x(tick), top, axes.x(tick), top + height);
    labels += obs::svg_text(axes.x(tick), top + height + 18, "middle", fmt::format("{:g}", tick));
  }
  const double step = axes.lowest < 0.6 ? 0.1 : 0.05;
  for (int i = 0; 1 - i * step > axes.lowest - step / 2; ++i) {
    const double recall = 1 - i * step;
    grid += line_from(left, axes.y(recall), left + width, axes.y(recall));
    labels += obs::svg_text(left - 8, axes.y(recall) + 4, "end", fmt::format("{:.2f}", recall));
  }
  const auto queries = result.rows.empty() ? 0 : result.rows.front().queries;
  const auto k = result.k.back();
  labels += obs::svg_text(left + width / 2, top + height + 42, "middle",
                          "microseconds a query (all ranks together)");
  labels += fmt::format(
      "<text transform=\"translate(20 {:.1f}) rotate(-90)\" "
      "text-anchor=\"middle\">recall@{}</text>\n",
      top + height / 2, k);
  labels += obs::svg_text(left + width / 2, 28, "middle",
                          fmt::format("recall@{} against time, {} held-out queries, metric {}", k,
                                      queries, result.metric),
                          "font-size=\"15\" font-weight=\"600\"");
  return "<g class=\"grid\" stroke=\"#dedbd3\">\n" + grid + "</g>\n" +
         fmt::format(
             "<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" "
             "stroke=\"#5f5c56\"/>\n",
             left, top, width, height) +
         labels;
}

/// How one row's line looks.
struct Style {
  const char* colour;
  const char* dash;

  std::string stroke() const {
    return fmt::format("stroke=\"{}\" stroke-dasharray=\"{}\" stroke-width=\"1.8\" fill=\"none\"",
                       colour, dash);
  }
};

std::string draw_row(const SweepRow& row, const Axes& axes, const Style& style) {
  std::string line, points;
  for (const auto& point : row.points) {
    const double x = axes.x(point.microseconds_per_query);
    const double y = axes.y(point.recalls.back());
    line += fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", x, y);
    points += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"><title>{}</title></circle>\n", x,
        y, style.colour,
        obs::xml_escaped(
            fmt::format("{} over {} {}: recall {:.4f}, {:.1f} microseconds, {:.0f} bytes",
                        row.index, share_name(row.share), point.setting, point.recalls.back(),
                        point.microseconds_per_query, row.bytes_per_entry)));
  }
  return fmt::format("<polyline points=\"{}\" {}/>\n", line, style.stroke()) + points;
}

std::string draw_legend(const SweepRow& row, const Style& style, double y) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", legend,
                     y, legend + 34, y, style.stroke()) +
         obs::svg_text(legend + 42, y + 4, "start",
                       fmt::format("{}, {}", row.index, share_name(row.share)));
}

}  // namespace

std::string sweep_plot(const SweepResult& result) {
  const Axes axes = fit_axes(result);
  std::string drawing = draw_axes(axes, result);
  std::map<std::string, std::size_t> colour_of;
  std::map<std::int64_t, std::size_t> dash_of;
  double y = top + 8;
  std::size_t longest = 0;
  for (const auto& row : result.rows) {
    if (row.points.empty()) continue;
    const auto colour = colour_of.try_emplace(row.index, colour_of.size()).first->second;
    const auto dash = dash_of.try_emplace(row.share, dash_of.size()).first->second;
    const Style style{colours[colour % colours.size()], dashes[dash % dashes.size()]};
    drawing += draw_row(row, axes, style) + draw_legend(row, style, y);
    longest = std::max(longest, row.index.size() + share_name(row.share).size());
    y += legend_line;
  }
  const double whole_width = legend + 60 + 7.2 * static_cast<double>(longest);
  const double whole_height = std::max(top + height + 60, y + legend_line);
  return obs::svg_document(whole_width, whole_height, drawing);
}

}  // namespace knnseq::stages
