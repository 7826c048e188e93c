// What a model says: any ids, through each family's tokeniser, become one line of text.
//
// The first byte chooses the tokeniser, each two bytes after it an id.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/utf8.hpp"
#include "fuzz.hpp"
#include "text/output_line.hpp"
#include "text/tokenizers/tokenizer.hpp"
#include "tokenizer_folders.hpp"

using namespace knnseq;

namespace {

/// Whether Python's str.splitlines() gives at most one line.
bool is_one_line(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = core::next_code_point(text, i);
    const bool breaks = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                        c == 0x2028 || c == 0x2029;
    if (breaks) return false;
  }
  return true;
}

void check_line(const std::string& said) {
  const std::string line = text::output_line(said);
  fuzz::require(core::is_valid_text(line), "UTF-8 without NUL");
  fuzz::require(is_one_line(line), "no line breaks");
  fuzz::require(text::output_line(line) == line, "once is enough");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::TokenizerFolders folders;
  static const auto tokenizers = folders.load();
  check_line(std::string(fuzz::as_text(data, size)));
  if (size == 0) return 0;
  const text::Tokenizer& tokenizer = *tokenizers[data[0] % tokenizers.size()];
  std::vector<core::TokenId> ids;
  for (std::size_t i = 1; i + 1 < size; i += 2) {
    const auto id =
        static_cast<core::TokenId>((data[i] << 8 | data[i + 1]) % tokenizer.vocab_size());
    if (tokenizer.has_target_token(id)) ids.push_back(id);
  }
  check_line(tokenizer.decode_target(ids));
  const auto masked = text::ids_without_token(tokenizer, tokenizer.vocab_size() + 3);
  for (const core::TokenId id : ids) {
    fuzz::require(!std::ranges::binary_search(masked, id), "what can be decoded is not masked");
  }
  return 0;
}
