#include "stages/shared/page/page.hpp"

#include <string_view>

#include <fmt/format.h>

#include "core/hash.hpp"
#include "stages/shared/page/page_files.hpp"

namespace knnseq::stages {

namespace {

void put(std::string& page, std::string_view mark, const std::string& text) {
  const auto at = page.find(mark);
  page.replace(at, mark.size(), text);
}

/// JSON that an HTML parser reads as the text of a script element, whatever is in it: "<" begins
/// every end of an element, and every comment.
std::string in_script(const core::Json& json) {
  std::string text;
  for (const char c : json.dump()) {
    if (c == '<') {
      text += "\\u003c";  // only within strings
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string served_page() {
  std::string page = page_html;
  put(page, "<!--policy-->", "");
  put(page, "<!--style-->", R"(<link rel="stylesheet" href="page.css">)");
  put(page, "<!--script-->", R"(<script src="page.js" defer></script>)");
  return page;
}

std::string standalone_page(const core::Json& book) {
  const auto data = in_script(book);
  // Nothing but these elements runs, and nothing is loaded.
  const auto nonce = core::fingerprint(data);
  std::string page = page_html;
  put(page, "<!--policy-->",
      fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src data:; base-uri 'none'; "
                  "form-action 'none'\">",
                  nonce));
  put(page, "<!--style-->", fmt::format("<style nonce=\"{}\">\n{}</style>", nonce, page_css));
  put(page, "<!--script-->",
      fmt::format("<script type=\"application/json\" id=\"book\">{}</script>\n"
                  "<script nonce=\"{}\">\n{}</script>",
                  data, nonce, page_js));
  return page;
}

}  // namespace knnseq::stages
