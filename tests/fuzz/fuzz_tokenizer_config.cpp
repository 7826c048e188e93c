// The JSON files of Hugging Face tokenisers, as one JSON object of their names and contents.
#include <filesystem>
#include <fstream>
#include <set>

#include <unistd.h>

#include "core/parse_json.hpp"
#include "fuzz.hpp"
#include "text/tokenizers/marian_tokenizer_config.hpp"
#include "text/tokenizers/multilingual_tokens.hpp"

using namespace knnseq;
namespace fs = std::filesystem;

namespace {

/// A folder of this process, removed at its end.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("knnseq-fuzz-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

void write_files(const fs::path& folder, const nlohmann::json& files) {
  for (const char* name : {"config.json", "vocab.json", "added_tokens.json",
                           "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"}) {
    if (files.contains(name)) {
      std::ofstream(folder / name) << files[name].dump();
    } else {
      fs::remove(folder / name);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  static const text::SentencePieces pieces(fs::path(KNNSEQ_SOURCE_DIR) /
                                           "tests/data/models/nllb/sentencepiece.bpe.model");
  fuzz::read([&] {
    const auto files = core::parse_json(fuzz::as_text(data, size), "input");
    if (!files.is_object()) return;
    write_files(folder.path, files);
    fuzz::read([&] { text::read_marian_config(folder.path); });
    for (const auto family : {text::read_m2m100_tokens, text::read_nllb_tokens}) {
      fuzz::read([&] {
        const auto made = family(folder.path, pieces);
        fuzz::require(made.specials.end() <= made.vocab_size, "special tokens fit the model");
        for (const auto& [code, id] : made.languages) {
          fuzz::require(made.specials.contains(id), "a language is a special token");
        }
        std::set<core::TokenId> ids;
        for (const auto& [code, id] : made.languages) ids.insert(id);
        fuzz::require(ids.size() == made.languages.size(), "each language has an id of its own");
        for (std::size_t id = 0; id < made.pieces.size(); ++id) {
          fuzz::require(made.pieces[id].empty() || !ids.contains(static_cast<core::TokenId>(id)),
                        "no language has a piece's id");
        }
      });
    }
  });
  return 0;
}
