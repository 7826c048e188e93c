#include "stages/shared/page/page.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "core/hash.hpp"
#include "stages/shared/page/page_files.hpp"
#include "text/files/encode_gzip.hpp"

namespace knnseq::stages {

namespace {

void put(std::string& page, std::string_view mark, const std::string& text) {
  const auto at = page.find(mark);
  page.replace(at, mark.size(), text);
}

/// RFC 4648.
std::string base64(std::string_view bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    const auto count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      three = three << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? digits[three >> (18 - 6 * j) & 63U] : '=';
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
  // Compressed, since text of a datastore is large; no text in it can end the element.
  const auto data = base64(text::encode_gzip(book.dump()));
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
      fmt::format("<script type=\"text/plain\" id=\"book\">{}</script>\n"
                  "<script nonce=\"{}\">\n{}</script>",
                  data, nonce, page_js));
  return page;
}

}  // namespace knnseq::stages
