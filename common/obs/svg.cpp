#include "obs/svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace knnseq::obs {

namespace {

/// Colours for the dark; attributes of elements say those for the light. Programs that know no
/// style sheets (and ignore this) show the light.
constexpr const char* style =
    "<style>@media (prefers-color-scheme: dark) {"
    " .picture .ground { fill: #1d1f22 } .picture text { fill: #ebe8e2 }"
    " .picture .soft { fill: #a7a39b } .picture .grid { stroke: #3a3c41 }"
    " .picture .frame { stroke: #a7a39b } .picture .sunk { fill: #3a3c41 } }</style>\n";

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&') {
      safe += "&amp;";
    } else if (c == '<') {
      safe += "&lt;";
    } else if (c == '>') {
      safe += "&gt;";
    } else if (c == '"') {
      safe += "&quot;";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string svg_text(double x, double y, std::string_view anchor, std::string_view text,
                     std::string_view attributes) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}{}>{}</text>\n", x, y,
                     anchor, attributes.empty() ? "" : " ", attributes, xml_escaped(text));
}

std::string svg_document(double width, double height, std::string_view elements) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "font-family=\"system-ui, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif\" "
      "font-size=\"12\" fill=\"#1d1c1a\">\n{3}"
      "<rect class=\"ground\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{2}</svg>\n",
      width, height, elements, style);
}

std::string scale_colour(double share) {
  // Viridis (van der Walt and Smith, 2015) at equal distances: as bright as it is high, in print
  // and for those who see fewer colours too.
  constexpr std::array<std::array<int, 3>, 9> stops = {{{68, 1, 84},
                                                        {71, 44, 122},
                                                        {59, 81, 139},
                                                        {44, 113, 142},
                                                        {33, 144, 141},
                                                        {39, 173, 129},
                                                        {92, 200, 99},
                                                        {170, 220, 50},
                                                        {253, 231, 37}}};
  const double place = std::clamp(share, 0.0, 1.0) * (stops.size() - 1);
  const auto first = std::min(static_cast<std::size_t>(place), stops.size() - 2);
  const double part = place - static_cast<double>(first);
  const auto mix = [&](std::size_t channel) {
    return std::lround(stops[first][channel] * (1 - part) + stops[first + 1][channel] * part);
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2));
}

}  // namespace knnseq::obs
