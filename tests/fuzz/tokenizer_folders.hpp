// A tokeniser of each family, some with byte pieces, holes and odd tokens that no trained model
// has.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "core/files.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::fuzz {

/// Model directories without weights, removed at the end of the process.
class TokenizerFolders {
 public:
  TokenizerFolders() {
    namespace fs = std::filesystem;
    const fs::path source = KNNSEQ_SOURCE_DIR;
    const fs::path models = source / "tests/data/models";
    // The demo model's SentencePiece model has bytes, the others' have none.
    copy(source / "models/demo-de-en", "marian-bytes", {"config.json", "source.spm", "target.spm"});
    put("marian-bytes/vocab.json", odd(read(source / "models/demo-de-en/vocab.json"), 2));
    copy(models / "marian-sharded", "marian", {"config.json", "source.spm", "target.spm"});
    put("marian/vocab.json", odd(read(models / "marian-sharded/vocab.json"), 1));
    copy(models / "m2m100", "m2m100", {"sentencepiece.bpe.model"});
    put("m2m100/vocab.json", odd(read(models / "m2m100/vocab.json"), 3));
    put("m2m100/config.json", R"({"model_type": "m2m_100", "vocab_size": 2000})");
    copy(models / "nllb", "nllb", {"config.json", "sentencepiece.bpe.model"});
    for (const std::string segmentation : {"none", "bpe", "sentencepiece"}) {
      const std::string name = "fairseq-" + segmentation;
      copy(models / "fairseq-postnorm", name, {"config.json"});
      put(name + "/fairseq_tokenizer.json",
          fmt::format(R"({{"segmentation": "{}"}})", segmentation));
      for (const std::string side : {"source", "target"}) {
        put(name + "/dict." + side + ".txt", dictionary());
        put(name + "/" + side + ".codes", "a b\n");
        fs::copy_file(models / "marian-sharded/source.spm", path_ / name / (side + ".spm"));
      }
    }
  }
  ~TokenizerFolders() { std::filesystem::remove_all(path_); }
  TokenizerFolders(const TokenizerFolders&) = delete;
  TokenizerFolders& operator=(const TokenizerFolders&) = delete;

  std::vector<std::unique_ptr<text::Tokenizer>> load() const {
    std::vector<std::unique_ptr<text::Tokenizer>> made;
    for (const char* name :
         {"marian-bytes", "marian", "fairseq-none", "fairseq-bpe", "fairseq-sentencepiece"}) {
      made.push_back(text::load_tokenizer(path_ / name));
    }
    made.push_back(text::load_tokenizer(path_ / "m2m100", {"de", "en"}));
    made.push_back(text::load_tokenizer(path_ / "nllb", {"deu_Latn", "eng_Latn"}));
    return made;
  }

 private:
  static constexpr const char* breaks[] = {"\n", "\r", "\u0085", "\u2028", "a\u2029b", "\v\f"};

  static core::Json read(const std::filesystem::path& file) { return core::read_json(file); }

  /// The vocabulary with all bytes, line breaks and languages, ids `step` apart.
  static std::string odd(core::Json vocabulary, std::size_t step) {
    std::size_t next = vocabulary.size();
    const auto add = [&](const std::string& token) {
      if (vocabulary.contains(token)) return;
      vocabulary[token] = next;
      next += step;
    };
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte));
    for (const char* token : breaks) add(token);
    for (const char* token : {">>fra<<", ">>spa<<", "<0x0a>"}) add(token);
    return vocabulary.dump();
  }

  static std::string dictionary() {
    std::string lines = "\u2581Haus 9\n@@ 8\na@@ 7\nb 6\nc\u2028 5\n\u0085d 4\n";
    for (int byte = 0; byte < 256; ++byte) lines += fmt::format("<0x{:02X}> 1\n", byte);
    return lines;
  }

  void copy(const std::filesystem::path& from, const std::string& to,
            const std::vector<std::string>& names) {
    std::filesystem::create_directories(path_ / to);
    for (const std::string& name : names) {
      std::filesystem::copy_file(from / name, path_ / to / name,
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }
  void put(const std::string& name, const std::string& content) {
    std::ofstream(path_ / name) << content;
  }

  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("knnseq-fuzz-output-{}", ::getpid());
};

}  // namespace knnseq::fuzz
