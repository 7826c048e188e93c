#include "text/tokenizers/marian_tokenizer.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

void check_same_id(const fs::path& path, const std::string& token, core::TokenId source,
                   core::TokenId target) {
  if (source == target) return;
  throw core::InputError(
      path, fmt::format("'{}' has the id {} here, but {} in vocab.json", token, target, source));
}

}  // namespace

MarianTokenizer::MarianTokenizer(const fs::path& model_dir, const Languages& languages) {
  const MarianConfig config = read_marian_config(model_dir);
  const fs::path source_path = model_dir / "vocab.json";
  const fs::path target_path =
      config.separate_vocabs ? model_dir / "target_vocab.json" : source_path;
  source_ = std::make_unique<MarianSide>(model_dir / "source.spm", source_path, config);
  target_ = std::make_unique<MarianSide>(model_dir / "target.spm", target_path, config);
  check_same_id(target_path, config.eos, source_->eos(), target_->eos());
  check_same_id(target_path, config.unk, source_->unk(), target_->unk());
  check_same_id(target_path, config.pad, source_->pad(), target_->pad());
  if (!languages.source.empty()) {
    throw core::InputError("source_lang", "Marian models take none; leave it out");
  }
  if (languages.target.empty()) return;
  const std::string mark = fmt::format(">>{}<<", languages.target);
  const auto token = source_->encode(mark);
  if (token.size() != 1 || token[0] == source_->unk()) {
    throw core::InputError("target_lang", fmt::format("{} has no token '{}'; leave target_lang out "
                                                      "if the model has one target language",
                                                      source_path.string(), mark));
  }
  language_ = token;
}

SourceFrame MarianTokenizer::source_frame() const { return {language_, {eos()}}; }

std::vector<core::TokenId> MarianTokenizer::encode_source(std::string_view text) const {
  return source_->encode(text);
}

std::vector<core::TokenId> MarianTokenizer::encode_target(std::string_view text) const {
  return target_->encode(text);
}

std::string MarianTokenizer::decode_source(std::span<const core::TokenId> tokens) const {
  return source_->decode(tokens);
}

std::string MarianTokenizer::decode_target(std::span<const core::TokenId> tokens) const {
  return target_->decode(tokens);
}

std::int64_t MarianTokenizer::vocab_size() const { return target_->vocab_size(); }
std::int64_t MarianTokenizer::source_vocab_size() const { return source_->vocab_size(); }
core::TokenId MarianTokenizer::eos() const { return target_->eos(); }
core::TokenId MarianTokenizer::unk() const { return target_->unk(); }
core::TokenId MarianTokenizer::pad() const { return target_->pad(); }

bool MarianTokenizer::is_special(core::TokenId token) const {
  return Tokenizer::is_special(token) || target_->is_language(token);
}

std::vector<std::string> MarianTokenizer::languages_left_open() const {
  const auto languages = source_->languages();
  return language_.empty() && languages.size() > 1 ? languages : std::vector<std::string>();
}

bool MarianTokenizer::chooses_language(std::span<const core::TokenId> source) const {
  return !source.empty() && source_->is_language(source.front());
}

std::vector<fs::path> marian_tokenizer_files(const fs::path& model_dir) {
  std::vector<fs::path> files;
  for (const char* name :
       {"source.spm", "target.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json"}) {
    if (fs::exists(model_dir / name)) files.push_back(model_dir / name);
  }
  return files;
}

}  // namespace knnseq::text
