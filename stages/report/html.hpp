// Parts of an HTML page without scripts. Text is escaped here; what is called HTML is not.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace knnseq::stages {

using HtmlCells = std::vector<std::string>;

/// A whole page in light and dark, which loads nothing. title: text; body: HTML.
std::string html_page(const std::string& title, const std::string& body);

/// A section with a heading, for html_page()'s contents; `content` is HTML.
std::string html_section(const std::string& id, const std::string& heading,
                         const std::string& content);

std::string html_paragraph(const std::string& text, const std::string& style = "");

/// The first line is the header, and as long as the others. Columns are figures from first_figure
/// to before end_figures; those without any text are left out.
std::string html_table(const std::vector<HtmlCells>& lines, std::size_t first_figure = 1,
                       std::size_t end_figures = 1000);

/// What is closed at first; `content` is HTML.
std::string html_details(const std::string& summary, const std::string& content);

/// Text with its line ends and spaces.
std::string html_preformatted(const std::string& text);

/// Large numbers with what they are: {"33,644", "sentences"}.
std::string html_figures(const std::vector<std::pair<std::string, std::string>>& figures);

/// A picture (SVG) that can be scrolled where it is wider than the screen.
std::string html_picture(const std::string& svg);

}  // namespace knnseq::stages
