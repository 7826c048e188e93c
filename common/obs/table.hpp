// Figures as tables: Markdown for people, CSV for programs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace knnseq::obs {

using Cells = std::vector<std::string>;

/// A Markdown table with columns that line up; the first line is the header. Columns of figures,
/// from `first_figure` to before `end_figures`, are set flush right. Cells are made printable().
std::string markdown_table(std::vector<Cells> lines, std::size_t first_figure,
                           std::size_t end_figures);

/// One line of CSV with its line end, of at least one cell; cells are quoted if they must be
/// (RFC 4180).
std::string csv_line(const Cells& cells);

}  // namespace knnseq::obs
