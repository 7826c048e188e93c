#include "obs/table.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "obs/terminal.hpp"

namespace knnseq::obs {

namespace {

/// The width on screen, which is the number of code points for the texts in our tables.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string markdown_table(std::vector<Cells> lines, std::size_t first_figure,
                           std::size_t end_figures) {
  for (auto& cells : lines) {
    for (auto& cell : cells) cell = printable(cell);
  }
  std::vector<std::size_t> widths(lines.front().size(), 3);
  for (const auto& cells : lines) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width(cells[i]));
  }
  const auto is_figure = [&](std::size_t i) { return i >= first_figure && i < end_figures; };
  std::string text;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string padding(widths[i] - width(lines[line][i]), ' ');
      text += "| " + (is_figure(i) ? padding + lines[line][i] : lines[line][i] + padding) + " ";
    }
    text += "|\n";
    if (line > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += fmt::format("|{:-<{}}{}", "", widths[i] + 1, is_figure(i) ? ":" : "-");
    }
    text += "|\n";
  }
  return text;
}

std::string csv_line(const Cells& cells) {
  std::string line;
  for (const auto& cell : cells) line += quoted(cell) + ",";
  line.back() = '\n';
  return line;
}

}  // namespace knnseq::obs
