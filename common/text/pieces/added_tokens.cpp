#include "text/pieces/added_tokens.hpp"

#include <charconv>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/parse_json.hpp"
#include "text/pieces/tokenizer_json.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using core::Json;

constexpr std::int64_t most_ids = 1 << 24;

std::int64_t id_of(const Json& value) {
  return value.is_number_integer() ? value.get<std::int64_t>() : -1;
}

class Collection {
 public:
  explicit Collection(const std::vector<std::string>& pieces) : pieces_(pieces) {}

  /// The id that `file` states; −1 if it is not an id.
  void add(const fs::path& file, const std::string& text, std::int64_t id, bool special = true) {
    const std::string* const piece = piece_at(id);
    if (id < 0 || id >= most_ids || (piece != nullptr && *piece != text)) {
      throw core::InputError(file, fmt::format("'{}' cannot have the id {}", text, id));
    }
    if (piece != nullptr) return;
    const AddedToken made{text, core::narrow<core::TokenId>(id), special, file};
    const auto& known_text = *by_text_.emplace(text, made).first;
    const auto& known_id = *by_id_.emplace(made.id, made).first;
    for (const AddedToken& known : {known_text.second, known_id.second}) {
      if (known.text == text && known.id == id) continue;
      throw core::InputError(
          file, fmt::format("'{}' has the id {} here, but '{}' has {} in {}", text, id, known.text,
                            known.id, known.file.string()));
    }
  }

  /// "vocab" of a BPE model: an object of ids by token.
  void check_vocabulary(const fs::path& file, const Json& vocabulary) const {
    if (!vocabulary.is_object()) return;
    for (const auto& [text, id] : vocabulary.items()) {
      const std::string* const piece = piece_at(id_of(id));
      if (piece == nullptr || *piece == text) continue;
      throw core::InputError(
          file, fmt::format("'{}' has the id {} here, but '{}' has it in the SentencePiece model: "
                            "the two do not belong together",
                            text, id.dump(), *piece));
    }
  }

  /// In the order of their ids.
  std::vector<AddedToken> take() {
    std::vector<AddedToken> tokens;
    for (auto& [id, token] : by_id_) tokens.push_back(std::move(token));
    return tokens;
  }

 private:
  const std::string* piece_at(std::int64_t id) const {
    if (id < 0 || id >= std::ssize(pieces_)) return nullptr;
    const std::string& piece = pieces_[id];
    return piece.empty() ? nullptr : &piece;
  }

  const std::vector<std::string>& pieces_;
  std::map<std::string, AddedToken> by_text_;
  std::map<core::TokenId, AddedToken> by_id_;
};

std::int64_t parse_id(const std::string& digits) {
  std::int64_t id = -1;
  const char* const end = digits.data() + digits.size();
  return std::from_chars(digits.data(), end, id).ptr == end ? id : -1;
}

/// Tokens are special unless their entry says otherwise.
bool is_special(const Json& entry, const fs::path& file) {
  bool special = true;
  if (entry.is_object()) read_flag(entry, file, "special", special);
  return special;
}

void add_tokenizer_json(const fs::path& file, Collection& found) {
  if (!fs::exists(file)) return;
  // The merges are most of the file, and nothing here needs them.
  const Json json = core::parse_json(core::read_file(file), file.string(), "merges");
  if (!json.is_object()) throw core::InputError(file, "must be an object");
  if (json.contains("model") && json["model"].is_object() && json["model"].contains("vocab")) {
    found.check_vocabulary(file, json["model"]["vocab"]);
  }
  if (!json.contains("added_tokens")) return;
  for (const Json& entry : json["added_tokens"]) {
    const std::int64_t id = entry.is_object() && entry.contains("id") ? id_of(entry["id"]) : -1;
    found.add(file, token_text(entry, file, "added_tokens"), id, is_special(entry, file));
  }
}

}  // namespace

std::vector<AddedToken> read_added_tokens(const fs::path& model_dir,
                                          const std::vector<std::string>& pieces) {
  Collection found(pieces);
  const fs::path config_file = model_dir / "tokenizer_config.json";
  const Json config = read_object(config_file);
  if (config.contains("added_tokens_decoder")) {
    for (const auto& [id, entry] : config["added_tokens_decoder"].items()) {
      found.add(config_file, token_text(entry, config_file, "added_tokens_decoder"), parse_id(id),
                is_special(entry, config_file));
    }
  }
  const fs::path added_file = model_dir / "added_tokens.json";
  const Json added = read_object(added_file);
  for (const auto& [text, id] : added.items()) found.add(added_file, text, id_of(id));
  add_tokenizer_json(model_dir / AddedToken::tokenizer_json, found);
  return found.take();
}

}  // namespace knnseq::text
