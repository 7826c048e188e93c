#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "text/marian_tokenizer.hpp"
#include "text/tokenizer.hpp"

namespace knnseq::text {

namespace {

/// Throws InputError where a model directory's tokeniser is of a kind not known here.
void require_marian(const std::filesystem::path& model_dir) {
  const auto path = model_dir / "config.json";
  const core::Json config = core::read_json(path);
  if (!config.is_object() || !config.contains("model_type") || !config["model_type"].is_string()) {
    throw core::InputError(path, "'model_type' is missing or not a string");
  }
  const auto type = config["model_type"].get<std::string>();
  if (type != "marian") {
    throw core::InputError(
        path, fmt::format("no tokeniser for 'model_type' '{}'; supported: marian", type));
  }
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& model_dir) {
  require_marian(model_dir);
  return std::make_unique<MarianTokenizer>(model_dir);
}

std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& model_dir) {
  require_marian(model_dir);
  return marian_tokenizer_files(model_dir);
}

}  // namespace knnseq::text
