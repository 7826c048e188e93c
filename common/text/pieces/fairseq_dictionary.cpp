#include "text/pieces/fairseq_dictionary.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/utf8.hpp"

namespace knnseq::text {

namespace {

/// Cuts the text at its last space, and gives what follows it; std::nullopt if there is none.
std::optional<std::string_view> take_last_field(std::string_view& text) {
  const auto space = text.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(space + 1);
  text = text.substr(0, space);
  return field;
}

bool is_integer(std::string_view field) {
  if (field.starts_with('-') || field.starts_with('+')) field.remove_prefix(1);
  return !field.empty() &&
         std::all_of(field.begin(), field.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Cuts the first line off, which ends at "\n", "\r\n" or "\r", as in Python's text mode.
std::string_view take_line(std::string_view& content) {
  const auto end = content.find_first_of("\r\n");
  const std::string_view line = content.substr(0, end);
  content.remove_prefix(line.size());
  content.remove_prefix(content.starts_with("\r\n") ? 2 : content.empty() ? 0 : 1);
  return line;
}

}  // namespace

FairseqDictionary::FairseqDictionary() {
  for (const char* special : {"<s>", "<pad>", "</s>", "<unk>"}) add(special);
}

FairseqDictionary::FairseqDictionary(const std::filesystem::path& path)
    : FairseqDictionary(parse(core::read_model_file(path), path)) {}

FairseqDictionary FairseqDictionary::parse(std::string_view content,
                                           const std::filesystem::path& path) {
  FairseqDictionary dictionary;
  for (std::int64_t number = 1; !content.empty(); ++number) {
    try {
      dictionary.add_line(take_line(content));
    } catch (const core::InputError& e) {
      throw core::InputError(fmt::format("{}:{}", path.string(), number), e.what());
    }
  }
  return dictionary;
}

void FairseqDictionary::add_line(std::string_view line) {
  if (!core::is_valid_text(line)) throw core::InputError("invalid text (not UTF-8, or with NUL)");
  std::string_view symbol = core::strip_end(line);
  auto count = take_last_field(symbol);
  const bool overwrite = count == "#fairseq:overwrite";
  if (overwrite) count = take_last_field(symbol);
  if (!count) throw core::InputError("must be a symbol, a space and its count");
  if (!is_integer(*count)) {
    throw core::InputError(fmt::format("the count '{}' is not an integer", *count));
  }
  if (symbol.empty()) throw core::InputError("the symbol is empty");
  if (!overwrite && ids_.contains(symbol)) {
    throw core::InputError(
        fmt::format("the symbol '{}' is there already, and the line does not end in "
                    "' #fairseq:overwrite'",
                    symbol));
  }
  add(symbol);
}

void FairseqDictionary::add(std::string_view symbol) {
  ids_.insert_or_assign(std::string(symbol), core::narrow<core::TokenId>(symbols_.size()));
  symbols_.emplace_back(symbol);
}

core::TokenId FairseqDictionary::id(std::string_view symbol) const {
  const auto found = ids_.find(symbol);
  return found == ids_.end() ? unk : found->second;
}

const std::string& FairseqDictionary::symbol(core::TokenId id) const {
  KNNSEQ_ASSERT(id >= 0 && id < size(), "token out of the dictionary");
  return symbols_[id];
}

}  // namespace knnseq::text
