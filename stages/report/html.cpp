#include "stages/report/html.hpp"

#include <fmt/format.h>

#include "obs/svg.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* style_of_page = R"(
:root { color-scheme: light dark; --ground: #f5f4f0; --card: #ffffff; --ink: #1d1c1a; --soft: #5f5c56;
  --line: #dedbd3; --sunk: #f0eee8; --accent: #3f55b5; }
@media (prefers-color-scheme: dark) { :root { --ground: #141517; --card: #1d1f22; --ink: #ebe8e2;
  --soft: #a7a39b; --line: #35373c; --sunk: #26282c; --accent: #a3b3ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system,
  "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
header, main { max-width: 74rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.25; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1.125rem; }
h3 { margin: 1.5rem 0 .5rem; font-size: .875rem; color: var(--soft); }
p { margin: .5rem 0; max-width: 50rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .875rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0; font-size: .875rem; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
section { margin: 1.25rem 0; padding: 1.25rem 1.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; min-width: 0; scroll-margin-top: 1rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem; margin: 1.25rem 0; }
.figures div { padding: .875rem 1.125rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.figures b { display: block; font-size: 1.375rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: .8125rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .375rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; white-space: nowrap; }
th { color: var(--soft); font-size: .8125rem; font-weight: 600; white-space: nowrap; }
td.figure, th.figure { text-align: right; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
.picture { display: block; max-width: none; }
.picture .ground { fill: none; }
details { margin: .5rem 0; }
summary { cursor: pointer; font-size: .875rem; font-weight: 600; padding: .25rem 0; overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .875rem 1rem; overflow: auto; max-height: 30rem; background: var(--sunk);
  border-radius: 8px; font: .8125rem/1.45 ui-monospace, "Cascadia Mono", "Liberation Mono", monospace; }
@media (max-width: 40rem) { header, main { padding-left: .875rem; padding-right: .875rem; }
  section { padding: 1rem; } .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .625rem; } }
@media print { section { break-inside: avoid; } pre { max-height: none; } }
)";

}  // namespace

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      obs::xml_escaped(title), style_of_page, body);
}

std::string html_section(const std::string& id, const std::string& heading,
                         const std::string& content) {
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", id,
                     obs::xml_escaped(heading), content);
}

std::string html_paragraph(const std::string& text, const std::string& name) {
  return fmt::format("<p{}>{}</p>\n", name.empty() ? "" : fmt::format(" class=\"{}\"", name),
                     obs::xml_escaped(text));
}

std::string html_table(const std::vector<HtmlCells>& lines, std::size_t first_figure,
                       std::size_t end_figures) {
  // Columns that say nothing are left out.
  std::vector<bool> says(lines.front().size(), false);
  for (std::size_t column = 0; column < says.size(); ++column) {
    for (std::size_t i = 1; i < lines.size(); ++i) {
      if (column < lines[i].size() && !lines[i][column].empty()) says[column] = true;
    }
  }
  std::string html = "<div class=\"wide\"><table>\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto* tag = i == 0 ? "th" : "td";
    html += i == 0 ? "<thead><tr>" : i == 1 ? "<tbody>\n<tr>" : "<tr>";
    for (std::size_t column = 0; column < lines[i].size(); ++column) {
      if (!says[column]) continue;
      const bool figure = column >= first_figure && column < end_figures;
      html += fmt::format("<{}{}>{}</{}>", tag, figure ? " class=\"figure\"" : "",
                          obs::xml_escaped(lines[i][column]), tag);
    }
    html += i == 0 ? "</tr></thead>\n" : "</tr>\n";
  }
  return html + (lines.size() > 1 ? "</tbody>\n" : "") + "</table></div>\n";
}

std::string html_details(const std::string& summary, const std::string& content) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", obs::xml_escaped(summary),
                     content);
}

std::string html_preformatted(const std::string& text) {
  return fmt::format("<pre tabindex=\"0\">{}</pre>\n", obs::xml_escaped(text));
}

std::string html_figures(const std::vector<std::pair<std::string, std::string>>& figures) {
  std::string html = "<div class=\"figures\">\n";
  for (const auto& [number, name] : figures) {
    html += fmt::format("<div><b>{}</b><span>{}</span></div>\n", obs::xml_escaped(number),
                        obs::xml_escaped(name));
  }
  return html + "</div>\n";
}

std::string html_picture(const std::string& svg) {
  return fmt::format("<div class=\"wide\" tabindex=\"0\">{}</div>\n", svg);
}

}  // namespace knnseq::stages
