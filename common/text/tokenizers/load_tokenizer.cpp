#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/input_file.hpp"
#include "text/tokenizers/fairseq_tokenizer.hpp"
#include "text/tokenizers/marian_tokenizer.hpp"
#include "text/tokenizers/multilingual_tokenizer.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

/// One kind of model directory.
struct Family {
  const char* model_type;
  std::unique_ptr<Tokenizer> (*load)(const fs::path& model_dir, const Languages& languages);
  std::vector<fs::path> (*files)(const fs::path& model_dir);
};

template <class Kind>
std::unique_ptr<Tokenizer> make(const fs::path& model_dir, const Languages& languages) {
  return std::make_unique<Kind>(model_dir, languages);
}

constexpr std::array families{
    Family{"marian", make<MarianTokenizer>, marian_tokenizer_files},
    Family{"m2m_100", make_multilingual_tokenizer, multilingual_tokenizer_files},
    Family{"fairseq_transformer", make<FairseqTokenizer>, fairseq_tokenizer_files},
};

const Family& family_of(const fs::path& model_dir) {
  core::require_model_path(model_dir);
  const auto path = model_dir / "config.json";
  const core::Json config = core::read_json(path);
  if (!config.is_object() || !config.contains("model_type") || !config["model_type"].is_string()) {
    throw core::InputError(path, "'model_type' is missing or not a string");
  }
  const auto type = config["model_type"].get<std::string>();
  std::string known;
  for (const Family& family : families) {
    if (type == family.model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  throw core::InputError(
      path, fmt::format("no tokeniser for 'model_type' '{}'; supported: {}", type, known));
}

}  // namespace

std::vector<core::TokenId> SourceFrame::around(std::span<const core::TokenId> tokens,
                                               std::int64_t most) const {
  if (tokens.empty()) return {};
  tokens = tokens.first(std::min(std::ssize(tokens), most - size()));
  std::vector<core::TokenId> framed(prefix);
  framed.insert(framed.end(), tokens.begin(), tokens.end());
  framed.insert(framed.end(), suffix.begin(), suffix.end());
  return framed;
}

std::vector<core::TokenId> ids_without_token(const Tokenizer& tokenizer, std::int64_t rows) {
  std::vector<core::TokenId> ids;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto id = core::narrow<core::TokenId>(row);
    if (!tokenizer.has_target_token(id)) ids.push_back(id);
  }
  return ids;
}

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& model_dir, const Languages& languages) {
  return family_of(model_dir).load(model_dir, languages);
}

std::vector<fs::path> tokenizer_files(const fs::path& model_dir) {
  return family_of(model_dir).files(model_dir);
}

}  // namespace knnseq::text
