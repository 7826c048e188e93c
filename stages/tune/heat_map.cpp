#include "stages/tune/heat_map.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "obs/svg.hpp"

namespace knnseq::stages {

namespace {

// Pixels.
constexpr double cell_width = 28, cell_height = 20, map_left = 44, map_top = 58, gap = 26;
constexpr double margin = 20, legend_height = 104, widest = 1080;
constexpr const char* ink = "#1d1c1a";
constexpr const char* mark = "#d1105a";  // is not among the colours of the scale

/// How log-likelihoods become colours: of all maps alike.
struct Scale {
  double lowest = 0, highest = 0;

  bool is_worse(double log_likelihood) const { return log_likelihood < lowest; }
  std::string colour(double log_likelihood) const {
    return obs::scale_colour(highest > lowest ? (log_likelihood - lowest) / (highest - lowest)
                                              : 1.0);
  }
};

/// Colours tell settings apart that are better than the model alone; they would hardly, if the
/// worst had one as well.
Scale scale_of(const Likelihoods& likelihoods) {
  Scale scale{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto& setting : likelihoods.settings) {
    scale.lowest = std::min(scale.lowest, setting.log_likelihood);
    scale.highest = std::max(scale.highest, setting.log_likelihood);
  }
  if (likelihoods.base < scale.highest) scale.lowest = std::max(scale.lowest, likelihoods.base);
  return scale;
}

bool is_same(const TunedSetting& a, const TunedSetting& b) {
  return a.k == b.k && a.temperature == b.temperature && a.lambda == b.lambda &&
         a.search_width == b.search_width;
}

/// What the marks say.
struct Marked {
  std::vector<TunedSetting> translated;  ///< of the grid, with the policy fixed
  const TunedSetting* best = nullptr;    ///< what is recommended or, if that is a policy, of these
};

Marked marked_of(const TuneResult& result) {
  Marked marked;
  const bool general = result.candidates.front().general.has_value();
  const TunedCandidate* best = nullptr;
  for (const auto& candidate : result.candidates) {
    if (!candidate.setting || candidate.policy) continue;
    marked.translated.push_back(*candidate.setting);
    if (general && !candidate.general) continue;  // it was out of the race before
    if (best == nullptr || candidate.decisive(result.by) > best->decisive(result.by)) {
      best = &candidate;
    }
  }
  const auto& chosen = recommended(result);
  if (!chosen.policy) best = &chosen;
  if (best != nullptr) marked.best = &*best->setting;
  return marked;
}

std::string box(double x, double y, double inset, const std::string& attributes) {
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" {}",
                     x + inset, y + inset, cell_width - 2 * inset, cell_height - 2 * inset,
                     attributes);
}

std::string likeliest_mark(double x, double y) {
  return box(x, y, 3, "fill=\"none\" stroke=\"#ffffff\" stroke-width=\"3\"/>\n") +
         box(x, y, 3, fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"1\"/>\n", ink));
}

std::string translated_mark(double x, double y) {
  return fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"#ffffff\" stroke=\"{}\" "
      "stroke-width=\"1.2\"/>\n",
      x + cell_width / 2, y + cell_height / 2, ink);
}

std::string best_mark(double x, double y) {
  return box(x, y, -2,
             fmt::format("rx=\"3\" fill=\"none\" stroke=\"{}\" stroke-width=\"3\"/>\n", mark)) +
         fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n",
                     x + cell_width / 2, y + cell_height / 2, mark);
}

/// One map; (x, y) is where its cells begin.
std::string draw_map(const Likelihoods& likelihoods, std::size_t search_width, std::size_t k,
                     const Scale& scale, const Marked& marked, double x, double y) {
  const auto rows = likelihoods.temperature.size(), columns = likelihoods.lambda.size();
  std::string svg =
      obs::svg_text(x, y - 30, "start",
                    fmt::format("k {}, {} {}", likelihoods.k[k], likelihoods.breadth_name,
                                likelihoods.search_width[search_width]),
                    "font-size=\"13\" font-weight=\"600\"");
  std::string marks, best_one;
  std::pair<double, double> likeliest;
  double highest = -std::numeric_limits<double>::infinity();
  for (std::size_t t = 0; t < rows; ++t) {
    const double cell_y = y + static_cast<double>(t) * cell_height;
    svg += obs::svg_text(x - 6, cell_y + cell_height * 0.7, "end",
                         fmt::format("{:g}", likelihoods.temperature[t]),
                         "class=\"soft\" fill=\"#5f5c56\" font-size=\"11\"");
    for (std::size_t l = 0; l < columns; ++l) {
      const double cell_x = x + static_cast<double>(l) * cell_width;
      const auto& setting = likelihoods.at(search_width, k, t, l);
      const auto fill = scale.is_worse(setting.log_likelihood)
                            ? std::string("class=\"sunk\" fill=\"#d9d6cf\"")
                            : fmt::format("fill=\"{}\"", scale.colour(setting.log_likelihood));
      svg += box(cell_x, cell_y, 0.5, fill) +
             fmt::format("><title>{}: perplexity {:.3f}</title></rect>\n",
                         setting.name(likelihoods.breadth_name), std::exp(-setting.log_likelihood));
      if (setting.log_likelihood > highest) {
        highest = setting.log_likelihood;
        likeliest = {cell_x, cell_y};
      }
      if (marked.best != nullptr && is_same(*marked.best, setting)) {
        best_one = best_mark(cell_x, cell_y);
      } else if (std::ranges::any_of(marked.translated, [&](const TunedSetting& one) {
                   return is_same(one, setting);
                 })) {
        marks += translated_mark(cell_x, cell_y);
      }
    }
  }
  for (std::size_t l = 0; l < columns; ++l) {
    svg += obs::svg_text(x + (static_cast<double>(l) + 0.5) * cell_width, y - 7, "middle",
                         fmt::format("{:g}", likelihoods.lambda[l]),
                         "class=\"soft\" fill=\"#5f5c56\" font-size=\"10.5\"");
  }
  svg += obs::svg_text(x - 6, y - 7, "end", "T \\ λ",
                       "class=\"soft\" fill=\"#5f5c56\" font-size=\"10.5\"");
  return svg + likeliest_mark(likeliest.first, likeliest.second) + marks + best_one;
}

/// The scale with perplexities, and what the marks mean.
std::string draw_map_legend(const TuneResult& result, const Scale& scale, const Marked& marked) {
  const auto& likelihoods = result.likelihoods;
  std::string svg =
      obs::svg_text(margin, 28, "start", "Perplexity of the references, by k, temperature T and λ",
                    "font-size=\"15\" font-weight=\"600\"");
  constexpr double left = margin, top = 48, width = 260, height = 12;
  constexpr int steps = 52;
  for (int i = 0; i < steps; ++i) {
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n",
                       left + i * width / steps, top, width / steps + 0.5, height,
                       obs::scale_colour((i + 0.5) / steps));
  }
  for (const double share : {0.0, 0.5, 1.0}) {
    const double log_likelihood = scale.lowest + share * (scale.highest - scale.lowest);
    const auto* anchor = share == 0 ? "start" : share == 1 ? "end" : "middle";
    svg += obs::svg_text(left + share * width, top + height + 15, anchor,
                         fmt::format("{:.2f}", std::exp(-log_likelihood)));
  }
  const double grey = left + width + 24;
  svg +=
      fmt::format(
          "<rect class=\"sunk\" x=\"{}\" y=\"{}\" width=\"20\" height=\"{}\" "
          "fill=\"#d9d6cf\"/>\n",
          grey, top, height) +
      obs::svg_text(grey + 27, top + 10, "start",
                    fmt::format("worse than the model alone, {:.2f}", std::exp(-likelihoods.base)));
  // Below: marks.
  const double y = top + height + 26;
  double x = left;
  const auto entry = [&](const std::string& drawn, const std::string& text) {
    svg += drawn + obs::svg_text(x + cell_width + 8, y + 14, "start", text);
    x += cell_width + 8 + 7.0 * static_cast<double>(text.size()) + 22;
  };
  const auto cell = [&](double share) {
    return box(x, y, 0.5, fmt::format("fill=\"{}\"/>\n", obs::scale_colour(share)));
  };
  entry(cell(0.5) + likeliest_mark(x, y), "likeliest of a map");
  if (!marked.translated.empty()) entry(cell(0.7) + translated_mark(x, y), "translated with");
  if (marked.best != nullptr) {
    const auto& chosen = recommended(result);
    const auto score = score_name(result);
    entry(cell(0.7) + best_mark(x, y), chosen.policy
                                           ? fmt::format("best {} of these; chosen: {}", score,
                                                         chosen.name(likelihoods.breadth_name))
                                           : fmt::format("chosen, by {}", score));
  }
  return svg;
}

}  // namespace

std::string heat_map(const TuneResult& result) {
  const auto& likelihoods = result.likelihoods;
  const Scale scale = scale_of(likelihoods);
  const Marked marked = marked_of(result);
  const double map_width =
      map_left + static_cast<double>(likelihoods.lambda.size()) * cell_width + gap;
  const double map_height =
      map_top + static_cast<double>(likelihoods.temperature.size()) * cell_height + gap;
  const auto maps = likelihoods.k.size();
  const auto fitting = static_cast<std::size_t>((widest - 2 * margin + gap) / map_width);
  const auto in_row = std::clamp<std::size_t>(fitting, 1, std::max<std::size_t>(maps, 1));
  const auto rows = (maps + in_row - 1) / in_row;
  std::string svg = draw_map_legend(result, scale, marked);
  for (std::size_t search_width = 0; search_width < likelihoods.search_width.size();
       ++search_width) {
    for (std::size_t k = 0; k < maps; ++k) {
      const auto row = search_width * rows + k / in_row;
      svg += draw_map(likelihoods, search_width, k, scale, marked,
                      margin + map_left + map_width * static_cast<double>(k % in_row),
                      legend_height + map_top + map_height * static_cast<double>(row));
    }
  }
  const double width = std::max(700.0, 2 * margin - gap + map_width * static_cast<double>(in_row));
  const double height = legend_height + margin +
                        map_height * static_cast<double>(rows * likelihoods.search_width.size());
  return obs::svg_document(width, height, svg);
}

}  // namespace knnseq::stages
