#include "stages/tune/heat_map.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "obs/svg.hpp"

namespace knnseq::stages {

namespace {

// Pixels.
constexpr double cell_width = 40, cell_height = 24, map_left = 60, map_top = 60, gap = 50;

/// From white (0) to dark blue (1).
std::string colour(double share) {
  const auto mix = [&](double from, double to) {
    return static_cast<int>(std::lround(from + (to - from) * share));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(255, 8), mix(255, 48), mix(255, 107));
}

struct Map {
  const Likelihoods& likelihoods;
  std::size_t search_width, k;
  double lowest, highest;  ///< of all maps: one scale

  const TunedSetting& cell(std::size_t t, std::size_t l) const {
    return likelihoods.at(search_width, k, t, l);
  }

  std::string draw(double x, double y) const {
    const std::size_t rows = likelihoods.temperature.size(), columns = likelihoods.lambda.size();
    std::string svg =
        obs::svg_text(x, y - 26, "start",
                      fmt::format("k {}, {} {}", likelihoods.k[k], likelihoods.breadth_name,
                                  likelihoods.search_width[search_width]));
    std::string frame;
    double best = -std::numeric_limits<double>::infinity();
    for (std::size_t t = 0; t < rows; ++t) {
      const double cell_y = y + static_cast<double>(t) * cell_height;
      svg += obs::svg_text(x - 6, cell_y + cell_height * 0.7, "end",
                           fmt::format("T {:g}", likelihoods.temperature[t]));
      for (std::size_t l = 0; l < columns; ++l) {
        const double cell_x = x + static_cast<double>(l) * cell_width;
        const auto& setting = cell(t, l);
        const std::string place =
            fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\"", cell_x,
                        cell_y, cell_width, cell_height);
        const double share =
            highest > lowest ? (setting.log_likelihood - lowest) / (highest - lowest) : 1;
        svg +=
            fmt::format("{} fill=\"{}\"><title>{}: perplexity {:.3f}</title></rect>\n", place,
                        colour(std::clamp(share, 0.0, 1.0)), setting.name(likelihoods.breadth_name),
                        std::exp(-setting.log_likelihood));
        if (setting.log_likelihood <= best) continue;
        best = setting.log_likelihood;
        frame = place + " fill=\"none\" stroke=\"#d62728\" stroke-width=\"2\"/>\n";
      }
    }
    for (std::size_t l = 0; l < columns; ++l) {
      svg += obs::svg_text(x + (static_cast<double>(l) + 0.5) * cell_width, y - 6, "middle",
                           fmt::format("{:g}", likelihoods.lambda[l]));
    }
    return svg + frame;
  }
};

}  // namespace

std::string heat_map(const Likelihoods& likelihoods) {
  const auto by_likelihood = [](const TunedSetting& a, const TunedSetting& b) {
    return a.log_likelihood < b.log_likelihood;
  };
  const auto& settings = likelihoods.settings;
  const double highest =
      std::max_element(settings.begin(), settings.end(), by_likelihood)->log_likelihood;
  // Settings worse than the model alone are all white: they would hide what matters.
  const double worst =
      std::min_element(settings.begin(), settings.end(), by_likelihood)->log_likelihood;
  const double lowest = likelihoods.base < highest ? std::max(worst, likelihoods.base) : worst;
  const double map_width =
      map_left + static_cast<double>(likelihoods.lambda.size()) * cell_width + gap;
  const double map_height =
      map_top + static_cast<double>(likelihoods.temperature.size()) * cell_height + gap;
  const double width = 20 + map_width * static_cast<double>(likelihoods.k.size());
  const double height = 20 + map_height * static_cast<double>(likelihoods.search_width.size());
  std::string svg = obs::svg_text(
      20, 20, "start",
      fmt::format("Perplexity of the references by T (rows) and lambda (columns): base "
                  "{:.2f} (white), best {:.2f} (dark)",
                  std::exp(-likelihoods.base), std::exp(-highest)));
  for (std::size_t search_width = 0; search_width < likelihoods.search_width.size();
       ++search_width) {
    for (std::size_t k = 0; k < likelihoods.k.size(); ++k) {
      svg += Map{likelihoods, search_width, k, lowest, highest}.draw(
          20 + map_left + map_width * static_cast<double>(k),
          20 + map_top + map_height * static_cast<double>(search_width));
    }
  }
  return obs::svg_document(width, height, svg);
}

}  // namespace knnseq::stages
