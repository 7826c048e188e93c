#include "text/tokenizers/fairseq_tokenizer.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/files.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

constexpr const char* settings_file = "fairseq_tokenizer.json";

std::string read_segmentation(const fs::path& path) {
  const core::Json settings = core::read_json(path);
  if (settings.is_object() && settings.contains("segmentation")) {
    const core::Json& value = settings["segmentation"];
    if (value == "none" || value == "bpe" || value == "sentencepiece") return value;
  }
  throw core::InputError(path, "'segmentation' must be \"none\", \"bpe\" or \"sentencepiece\"");
}

FairseqSide::Segmenter load_segmenter(const fs::path& model_dir, const std::string& side,
                                      const std::string& segmentation) {
  if (segmentation == "bpe") return Bpe(model_dir / (side + ".codes"));
  if (segmentation == "sentencepiece") return SentencePieces(model_dir / (side + ".spm"));
  return {};
}

std::unique_ptr<FairseqSide> load_side(const fs::path& model_dir, const std::string& side,
                                       const std::string& segmentation) {
  FairseqDictionary dictionary(model_dir / ("dict." + side + ".txt"));
  return std::make_unique<FairseqSide>(std::move(dictionary),
                                       load_segmenter(model_dir, side, segmentation));
}

}  // namespace

FairseqTokenizer::FairseqTokenizer(const fs::path& model_dir, const Languages& languages) {
  const std::string segmentation = read_segmentation(model_dir / settings_file);
  source_ = load_side(model_dir, "source", segmentation);
  target_ = load_side(model_dir, "target", segmentation);
  for (const auto& [key, language] :
       {std::pair("source_lang", languages.source), std::pair("target_lang", languages.target)}) {
    if (!language.empty()) throw core::InputError(key, "fairseq models take none; leave it out");
  }
}

std::vector<core::TokenId> FairseqTokenizer::encode_source(std::string_view text) const {
  return source_->encode(text);
}

std::vector<core::TokenId> FairseqTokenizer::encode_target(std::string_view text) const {
  return target_->encode(text);
}

std::string FairseqTokenizer::decode_source(std::span<const core::TokenId> tokens) const {
  return source_->decode(tokens);
}

std::string FairseqTokenizer::decode_target(std::span<const core::TokenId> tokens) const {
  return target_->decode(tokens);
}

std::vector<fs::path> fairseq_tokenizer_files(const fs::path& model_dir) {
  std::vector<fs::path> files;
  for (const char* name : {settings_file, "dict.source.txt", "dict.target.txt", "source.codes",
                           "target.codes", "source.spm", "target.spm"}) {
    if (fs::exists(model_dir / name)) files.push_back(model_dir / name);
  }
  return files;
}

}  // namespace knnseq::text
