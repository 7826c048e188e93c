#include "stages/report/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"
#include "obs/svg.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* blue = "#5b70cf";    // on white and on black
constexpr const char* orange = "#d9772b";  // likewise
constexpr std::array series_colours = {blue, orange, "#2f9479", "#a2559c"};
constexpr const char* soft_text = "class=\"soft\" fill=\"#5f5c56\" font-size=\"11\"";

std::string svg_rect(double x, double y, double width, double height, const std::string& more,
                     const std::string& title = "") {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
      "{}><title>{}</title></rect>\n",
      x, y, width, height, more, obs::xml_escaped(title));
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& more) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, more);
}

const std::string grid_line = "class=\"grid\" stroke=\"#dedbd3\"";

/// 1, 2 or 5 times a power of ten: at most `most` steps of it reach `length`.
double round_step(double length, int most) {
  const double least = length / most;
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least) return factor * power;
  }
  return 10 * power;
}

/// A length of time that people count in: at most `most` of them make `seconds`.
double round_seconds(double seconds, int most) {
  for (const double step : {1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0,
                            1800.0, 3600.0, 7200.0, 14'400.0, 28'800.0}) {
    if (seconds / step <= most) return step;
  }
  return 86'400 * std::ceil(seconds / most / 86'400);
}

/// Times as places, without those in which nothing worked.
class WorkedTime {
 public:
  explicit WorkedTime(const std::vector<TimeRow>& rows) {
    std::vector<std::pair<double, double>> all;
    for (const auto& row : rows) all.insert(all.end(), row.spans.begin(), row.spans.end());
    std::ranges::sort(all);
    constexpr double short_pause = 60;
    for (const auto& [began, ended] : all) {
      if (spans_.empty() || began > spans_.back().end + short_pause) {
        spans_.push_back({began, ended, seconds_});
      }
      spans_.back().end = std::max(spans_.back().end, ended);
      seconds_ = spans_.back().before + spans_.back().end - spans_.back().begin;
    }
  }
  double seconds() const { return std::max(seconds_, 1e-3); }
  /// Worked seconds until then.
  double at(double time) const {
    for (const auto& span : spans_) {
      if (time <= span.end) return span.before + std::max(0.0, time - span.begin);
    }
    return seconds_;
  }
  /// Worked seconds before each break.
  std::vector<double> breaks() const {
    std::vector<double> places;
    for (std::size_t i = 1; i < spans_.size(); ++i) places.push_back(spans_[i].before);
    return places;
  }

 private:
  struct Span {
    double begin, end, before;
  };
  std::vector<Span> spans_;
  double seconds_ = 0;
};

}  // namespace

std::string time_line(const std::vector<TimeRow>& rows) {
  constexpr double row_height = 24, width = 680, top = 34, right = 110;
  std::size_t longest = 12;
  for (const auto& row : rows) longest = std::max(longest, row.name.size());
  const double left = 24 + 6.6 * static_cast<double>(longest);
  const WorkedTime time(rows);
  const double height = top + row_height * static_cast<double>(rows.size()) + 14;
  const auto x = [&](double worked) { return left + width * worked / time.seconds(); };
  std::string svg;
  const double tick_seconds = round_seconds(time.seconds(), 8);
  for (int i = 0; i * tick_seconds <= time.seconds(); ++i) {
    const double tick = i * tick_seconds;
    svg += svg_line(x(tick), top - 6, x(tick), height - 10, grid_line) +
           obs::svg_text(x(tick), top - 12, "middle", obs::as_duration(tick), soft_text);
  }
  for (const double at : time.breaks()) {
    svg += svg_line(x(at), top - 6, x(at), height - 10,
                    "class=\"frame\" stroke=\"#5f5c56\" stroke-dasharray=\"2 3\"");
  }
  double y = top;
  for (const auto& [name, spans] : rows) {
    double seconds = 0, last = left;
    for (const auto& [began, ended] : spans) seconds += ended - began;
    svg += obs::svg_text(left - 10, y + 15, "end", name);
    for (const auto& [began, ended] : spans) {
      const double begin = x(time.at(began)), end = std::max(x(time.at(ended)), begin + 2);
      svg += svg_rect(begin, y + 3, end - begin, row_height - 8,
                      fmt::format("rx=\"2\" fill=\"{}\"", blue),
                      fmt::format("{}: {}", name, obs::as_duration(ended - began)));
      last = end;
    }
    svg += obs::svg_text(last + 6, y + 15, "start", obs::as_duration(seconds), soft_text);
    y += row_height;
  }
  return obs::svg_document(left + width + right, height, svg);
}

std::string list_sizes_picture(const std::vector<std::int64_t>& sizes) {
  constexpr double left = 60, top = 16, width = 560, height = 180;
  constexpr std::size_t bins = 40;
  const double largest = static_cast<double>(*std::ranges::max_element(sizes));
  const double bin_width = std::max(std::ceil((largest + 1) / bins), 1.0);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(largest / bin_width) + 1);
  double entries = 0;
  for (const auto size : sizes) {
    ++counts[static_cast<std::size_t>(static_cast<double>(size) / bin_width)];
    entries += static_cast<double>(size);
  }
  const double most = static_cast<double>(*std::ranges::max_element(counts));
  const double end = bin_width * static_cast<double>(counts.size());
  const auto x = [&](double size) { return left + width * size / end; };
  const auto y = [&](double count) { return top + height * (1 - count / most); };
  std::string svg;
  const double step = std::max(1.0, round_step(most, 6));
  for (double tick = 0; tick <= most; tick += step) {
    svg += svg_line(left, y(tick), left + width, y(tick), grid_line) +
           obs::svg_text(left - 8, y(tick) + 4, "end", fmt::format("{:g}", tick), soft_text);
  }
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    const double begin = bin_width * static_cast<double>(bin);
    const auto count = static_cast<double>(counts[bin]);
    svg += svg_rect(x(begin) + 0.5, y(count), std::max(x(begin + bin_width) - x(begin) - 1, 0.5),
                    top + height - y(count), fmt::format("fill=\"{}\"", blue),
                    fmt::format("{} lists of {:.0f} to {:.0f} entries", counts[bin], begin,
                                begin + bin_width - 1));
  }
  const double mean = entries / static_cast<double>(sizes.size());
  svg += svg_line(x(mean), top, x(mean), top + height,
                  fmt::format("stroke=\"{}\" stroke-width=\"2\"", orange)) +
         obs::svg_text(x(mean) + 6, top + 10, "start", fmt::format("mean {:.0f}", mean),
                       fmt::format("style=\"fill: {}\"", orange));
  const double step_x = std::max(1.0, round_step(end, 8));
  for (double tick = 0; tick <= end; tick += step_x) {
    svg += obs::svg_text(x(tick), top + height + 18, "middle", obs::with_commas(std::llround(tick)),
                         soft_text);
  }
  svg +=
      obs::svg_text(left + width / 2, top + height + 38, "middle", "entries of a list", soft_text) +
      fmt::format(
          "<text transform=\"translate(14 {:.0f}) rotate(-90)\" text-anchor=\"middle\" "
          "{}>lists</text>\n",
          top + height / 2, soft_text);
  return obs::svg_document(left + width + 30, top + height + 48, svg);
}

std::string errors_picture(const std::map<std::string, std::vector<double>>& errors) {
  constexpr double left = 60, top = 16, width = 560, height = 180;
  double lowest = INFINITY, highest = 0;
  std::size_t longest = 2;
  for (const auto& [_, values] : errors) {
    for (const auto value : values) {
      lowest = std::min(lowest, value);
      highest = std::max(highest, value);
    }
    longest = std::max(longest, values.size());
  }
  const double step = round_step(std::max(highest - lowest, 1e-9), 4);
  const double bottom = std::floor(lowest / step) * step;
  const double ceiling = std::max(std::ceil(highest / step) * step, bottom + step);
  const auto x = [&](std::size_t i) {
    return left + width * static_cast<double>(i) / static_cast<double>(longest - 1);
  };
  const auto y = [&](double value) {
    return top + height * (1 - (value - bottom) / (ceiling - bottom));
  };
  std::string svg;
  for (double tick = bottom; tick <= ceiling + step / 2; tick += step) {
    svg += svg_line(left, y(tick), left + width, y(tick), grid_line) +
           obs::svg_text(left - 8, y(tick) + 4, "end", fmt::format("{:.4g}", tick), soft_text);
  }
  std::size_t at = 0;
  for (const auto& [name, values] : errors) {
    const auto* colour = series_colours[at % series_colours.size()];
    std::string points;
    for (std::size_t i = 0; i < values.size(); ++i) {
      points += fmt::format("{:.1f},{:.1f} ", x(i), y(values[i]));
    }
    const double legend = top + 8 + 20 * static_cast<double>(at);
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n",
                       points, colour) +
           svg_line(left + width + 20, legend, left + width + 46, legend,
                    fmt::format("stroke=\"{}\" stroke-width=\"2\"", colour)) +
           obs::svg_text(left + width + 54, legend + 4, "start",
                         fmt::format("{}: {:.4g}", name, values.back()));
    ++at;
  }
  svg += obs::svg_text(left + width / 2, top + height + 22, "middle", "iterations", soft_text);
  return obs::svg_document(left + width + 190, top + height + 34, svg);
}

std::string scores_picture(const std::string& metric, const std::vector<ScoredSystem>& systems) {
  constexpr double row = 28, left = 210, width = 560, top = 34, right = 90;
  double highest = 1e-9;
  for (const auto& system : systems) highest = std::max(highest, system.score + system.interval);
  const double step = round_step(highest, 8);
  const double end = std::ceil(highest / step) * step;
  const auto x = [&](double score) { return left + width * score / end; };
  const double height = top + row * static_cast<double>(systems.size()) + 10;
  std::string svg = obs::svg_text(left - 12, top - 12, "end", metric, "font-weight=\"600\"");
  for (double tick = 0; tick <= end + step / 2; tick += step) {
    svg += svg_line(x(tick), top - 6, x(tick), height - 6, grid_line) +
           obs::svg_text(x(tick), top - 12, "middle", fmt::format("{:g}", tick), soft_text);
  }
  for (std::size_t i = 0; i < systems.size(); ++i) {
    const auto& [name, score, interval] = systems[i];
    const double y = top + row * static_cast<double>(i) + row / 2;
    const auto stroke = fmt::format("stroke=\"{}\" stroke-width=\"2.5\"", blue);
    svg += obs::svg_text(left - 12, y + 4, "end", name) +
           svg_line(x(std::max(score - interval, 0.0)), y, x(score + interval), y, stroke);
    for (const double at : {std::max(score - interval, 0.0), score + interval}) {
      svg += svg_line(x(at), y - 5, x(at), y + 5, stroke);
    }
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"/>\n", x(score), y,
                       blue) +
           obs::svg_text(x(score + interval) + 10, y + 4, "start",
                         fmt::format("{:.2f} ± {:.2f}", score, interval));
  }
  return obs::svg_document(left + width + right, height, svg);
}

}  // namespace knnseq::stages
