#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>
#include <torch/csrc/jit/api/module.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "model/sentence_encoder.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

/// An archive with this code.
std::filesystem::path archive(const test::TemporaryFolder& folder, const std::string& code) {
  torch::jit::Module module("m");
  module.define(code);
  const auto path = folder / "encoder.pt";
  module.save(path.string());
  return path;
}

}  // namespace

TEST_CASE("a sentence encoder gives the vectors of transformers, tokeniser included") {
  // Made by tests/support/make_sentence_encoder_reference.py.
  const std::filesystem::path folder = KNNSEQ_SOURCE_DIR "/tests/data/sentence_encoder";
  const auto expected = core::read_json(folder / "expected.json");
  const std::vector<std::string> texts = expected.at("texts");
  const std::vector<std::vector<float>> vectors = expected.at("vectors");
  const model::SentenceEncoder encoder(folder / "model.pt");
  CHECK(encoder.width() == 8);
  const at::Tensor together = encoder.encode(texts);
  REQUIRE(together.sizes() == at::IntArrayRef({std::ssize(texts), 8}));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    const at::Tensor wanted = at::tensor(vectors[i]);
    CHECK(at::allclose(together[static_cast<std::int64_t>(i)], wanted, 0, 1e-5));
    CHECK(at::allclose(encoder.encode({texts[i]})[0], wanted, 0, 1e-5));
  }
  CHECK(at::equal(encoder.encode(texts), together));
  CHECK(encoder.encode({}).sizes() == at::IntArrayRef({0, 8}));
}

TEST_CASE("what is no sentence encoder is refused by name") {
  const test::TemporaryFolder folder;
  const auto refusal = [&](const std::string& code) -> std::string {
    try {
      model::SentenceEncoder(archive(folder, code)).encode({"a", "b"});
    } catch (const core::InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(refusal("def encode(self, sentences: List[str]):\n"
                "    return torch.ones([len(sentences), 3])\n") == "");
  CHECK_THAT(refusal("def other(self, x: Tensor):\n    return x\n"),
             Contains("encoder.pt: encode: the script has no such method"));
  CHECK_THAT(refusal("def encode(self, x: Tensor):\n    return x\n"),
             Contains("is (Tensor) -> Tensor, not (List[str]) -> Tensor"));
  CHECK_THAT(refusal("def encode(self, sentences: List[str]):\n    return torch.ones([3])\n"),
             Contains("are not [sentences, width]"));
  CHECK_THAT(refusal("def encode(self, sentences: List[str]):\n    return torch.ones([1, 3])\n"),
             Contains("the vectors of 2 sentences are Float [1, 3] on cpu, not float32 [2, 3]"));
  CHECK_THAT(refusal("def encode(self, sentences: List[str]):\n"
                     "    return torch.ones([len(sentences), 3]) / 0\n"),
             Contains("a vector is not finite"));
  CHECK_THAT(refusal("def encode(self, sentences: List[str]):\n"
                     "    assert len(sentences) < 2, 'too many'\n"
                     "    return torch.ones([1, 3])\n"),
             Contains("too many"));
  CHECK_THROWS_WITH(model::SentenceEncoder(folder / "none.pt"), Contains("is missing"));
  core::write_file_durably(folder / "text.pt", "no archive");
  CHECK_THROWS_WITH(model::SentenceEncoder(folder / "text.pt"), Contains("no TorchScript archive"));
}

TEST_CASE("parameters that are not finite are found when the script is read") {
  const test::TemporaryFolder folder;
  const auto opened = [&](double parameter, double buffer) -> std::string {
    torch::jit::Module module("m");
    module.register_parameter("weight", at::full({2, 3}, parameter), false);
    module.register_buffer("mask", at::full({3}, buffer));
    module.define(
        "def encode(self, sentences: List[str]):\n"
        "    return torch.ones([len(sentences), 3])\n");
    module.save((folder / "encoder.pt").string());
    try {
      model::SentenceEncoder(folder / "encoder.pt");
    } catch (const core::InputError& error) {
      return error.what();
    }
    return "";
  };
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(opened(1, infinity).empty());
  CHECK(opened(-infinity, 1).empty());
  CHECK_THAT(opened(std::nan(""), 1), Contains("encoder.pt: parameter 'weight': holds NaN"));
  CHECK_THAT(opened(infinity, 1), Contains("parameter 'weight': holds an infinite number"));
}
