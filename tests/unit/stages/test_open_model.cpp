// A tokeniser must fit every model it is used with, on both sides.
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path data = KNNSEQ_SOURCE_DIR "/tests/data";
const fs::path postnorm = data / "models/fairseq-postnorm";  // 104 tokens on both sides
const fs::path mbart = data / "torchscript/mbart/model.pt";  // 100

/// A fairseq tokeniser with so many words beside the four special symbols.
struct TokenizerFolder : test::TemporaryFolder {
  TokenizerFolder(int source_words, int target_words) {
    write("config.json", R"({"model_type": "fairseq_transformer"})");
    write("fairseq_tokenizer.json", R"({"segmentation": "none"})");
    for (const auto& [side, words] :
         {std::pair("source", source_words), std::pair("target", target_words)}) {
      std::string lines;
      for (int i = 0; i < words; ++i) lines += fmt::format("w{} 1\n", i);
      write(fmt::format("dict.{}.txt", side), lines);
    }
  }
};

model::ModelInfo describe(const std::vector<fs::path>& models, const fs::path& tokenizer,
                          model::KeySpec key = {}) {
  stages::Options options;
  options.models = models;
  options.tokenizer = tokenizer;
  options.datastore.key = key;
  const auto comm = comm::make_self_communicator();
  obs::Log log(0, 1);
  const runtime::StageContext context{
      *comm, log, {}, runtime::StageContext::Force::no, {}, /*timeout_seconds=*/0};
  return stages::describe_model(context, options, *stages::open_tokenizer(options));
}

}  // namespace

TEST_CASE("a tokeniser with more tokens than a model's source side is refused") {
  const model::KeySpec of_mbart(model::KeyKind::ffn_out, -2);
  const TokenizerFolder fits(96, 96);
  CHECK(describe({postnorm}, fits.path()).source_vocab_size == 104);
  CHECK(describe({mbart}, fits.path(), of_mbart).source_vocab_size == 100);
  CHECK(describe({postnorm, mbart}, fits.path()).source_vocab_size == 104);

  const TokenizerFolder large(101, 96);
  const auto mismatch = Contains("the tokeniser has 105 tokens for the source, the model only");
  CHECK_THROWS_WITH(describe({postnorm}, large.path()), mismatch && Contains(postnorm.string()));
  CHECK_THROWS_WITH(describe({mbart}, large.path(), of_mbart),
                    mismatch && Contains("only 100") && Contains(mbart.string()));
  CHECK_THROWS_AS(describe({mbart}, large.path(), of_mbart), core::InputError);
}

TEST_CASE("every model of an ensemble must know all tokens") {
  CHECK_THROWS_WITH(describe({postnorm, mbart}, TokenizerFolder(97, 96).path()),
                    Contains(mbart.string() + ": the tokeniser has 101 tokens for the source"));
  CHECK_THROWS_WITH(
      describe({postnorm, mbart}, TokenizerFolder(96, 97).path()),
      Contains(mbart.string() + ": the tokeniser has 101 tokens, the model only 100"));
}
