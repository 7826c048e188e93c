// What is wrong with a TorchScript archive is said in one line that names the file and the method.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "support/temporary_folder.hpp"
#include "support/torchscript_models.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;

/// A copy of the T5 archive with some bytes replaced by as many others.
class Altered {
 public:
  Altered(const std::string& from, const std::string& to) {
    const test::TorchscriptFixture fixture = test::t5();
    std::string content = core::read_file(fixture.folder / "model.pt");
    REQUIRE(content.find(from) != std::string::npos);
    REQUIRE(from.size() == to.size());
    for (std::size_t at = 0; (at = content.find(from, at)) != std::string::npos; at += to.size()) {
      content.replace(at, from.size(), to);
    }
    path_ = folder_.write("model.pt", content);
  }

  /// Asks for everything there is.
  void use() const {
    const auto model = load_model(path_);
    const std::vector<std::vector<TokenId>> sources = {{9, 10, 1}, {11, 1}};
    const std::vector<std::vector<TokenId>> targets = {{12, 1}, {13, 14, 15, 1}};
    model->teacher_force(sources, targets, {KeyKind::ffn_in, true, true});
    const auto state = model->start(model->encode(sources), 1, KeyKind::ffn_in);
    model->step(*state, std::vector<TokenId>{0, 0});
  }

  void check(const std::string& expected) const {
    INFO(expected);
    try {
      use();
      FAIL("nothing was thrown");
    } catch (const core::InputError& error) {
      const std::string text = error.what();
      CHECK_THAT(text, Catch::StartsWith(path_.string()) && Contains(expected));
      CHECK(text.find('\n') == std::string::npos);
    }
  }

 private:
  test::TemporaryFolder folder_;
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("facts of a TorchScript archive that cannot be", "[model]") {
  Altered("\"format\": 1", "\"format\": 2").check("knnseq.json: format: 2 is not supported");
  Altered("\"format\": 1", "\"fromat\": 1").check("format: is missing");
  Altered("\"format\": 1", "\"format\"= 1").check("knnseq.json: not valid JSON");
  Altered("extra/knnseq.json", "extra/knnsex.json").check("has no extra file knnseq.json");
  Altered("\"layer\": -1", "\"layer\": -9").check("layer: -9 does not exist");
  Altered("\"key\": \"ffn_in\"", "\"key\": \"ffn_up\"").check("key: is neither");
  Altered("\"decoder_start\": 0", "\"decoder_stort\": 0").check("decoder_start: is missing");
  Altered("\"bad_tokens\": []", "\"bad_tokens\": 17").check("bad_tokens: is not a list");
  Altered("\"width\": 16", "\"width\": -6").check("width: -6 is out of range");
  Altered("\"pad\": 0", "\"pad\": x").check("not valid JSON");
}

TEST_CASE("scripts that do not keep the contract", "[model]") {
  Altered("\"width\": 16", "\"width\": 17").check("teacher_force: keys are Float [2, 4, 16]");
  Altered("\"source_width\": 16", "\"source_width\": 17").check("encode: states are Float");
  Altered("\"vocab_size\": 100", "\"vocab_size\": 101").check("log-probs are Float [2, 4, 100]");
  Altered("def step(", "def stop(").check("step: the script has no such method");
  Altered("with_log_probs: bool", "with_log_probs: int ")
      .check("teacher_force: is (Tensor, Tensor, Tensor, Tensor, int) -> Tuple[Tensor, Tensor]");
  Altered("torch.log_softmax(", "torch.softmax    (").check("not log-probabilities");
  Altered("_4, [prefix0])", "_4, [_4[0]  ])").check("step: the first dimension of a cache tensor");
  Altered("_4, [prefix0])", "_4, [_4     ])").check("step: the log-probs, which the caller");
  Altered("[torch.size(inputs, 0), 1, width", "[torch.size(inputs, 0), 7, width")
      .check("teacher_force: ");
  // The number that masks carry becomes a NaN.
  Altered(std::string("\xc7\xef\xff\xff\xe0\0\0\0", 8), std::string("\x7f\xf8\0\0\0\0\0\0", 8))
      .check("not finite");
}

TEST_CASE("a TorchScript model refuses what it does not have", "[model]") {
  const auto fixture = test::t5();
  const std::string file = (fixture.folder / "model.pt").string();
  const std::vector<std::vector<TokenId>> source = {{9, 1}};
  const auto refuse = [&](KeySpec key) {
    CHECK_THROWS_WITH(fixture.model->teacher_force(source, source, {key}),
                      Contains(file) && Contains("key: its script gives ffn_in of layer 1 only"));
    CHECK_THROWS_AS(fixture.model->start(fixture.model->encode(source), 1, key), core::InputError);
  };
  refuse(KeyKind::ffn_out);
  refuse({KeyKind::ffn_in, 0});
  CHECK_NOTHROW(fixture.model->teacher_force(source, source, {{KeyKind::ffn_in, 1}}));
  for (const std::vector<TokenId>& wrong :
       {std::vector<TokenId>{}, {100, 1}, {-1, 1}, std::vector<TokenId>(41, 9)}) {
    CHECK_THROWS_AS(fixture.model->encode({&wrong, 1}), core::InputError);
    CHECK_THROWS_AS(fixture.model->teacher_force(source, {&wrong, 1}, {}), core::InputError);
  }
  const auto state = fixture.model->start(fixture.model->encode(source), 2, KeyKind::ffn_in);
  CHECK_THROWS_AS(fixture.model->step(*state, std::vector<TokenId>{0}), std::logic_error);
  CHECK_THROWS_AS(fixture.model->reorder(*state, std::vector<std::int64_t>{2}), std::logic_error);
}

TEST_CASE("files that are no TorchScript archives", "[model]") {
  const auto fixture = test::t5();
  const test::TemporaryFolder folder;
  const std::string content = core::read_file(fixture.folder / "model.pt");
  const auto truncated = folder.write("half.pt", content.substr(0, content.size() / 2));
  const auto text = folder.write("text", "no archive");
  for (const auto& path : {truncated, text}) {
    CHECK_THROWS_WITH(load_model(path), Contains(path.string() + ": is damaged or no TorchScript"));
    CHECK_THROWS_AS(read_model_info(path), core::InputError);
  }
  CHECK_THROWS_WITH(load_model(folder / "absent.pt"), Contains("absent.pt: no such file"));
  CHECK_THROWS_WITH(model_files(folder / "absent.pt"), Contains("absent.pt: no such file"));
  CHECK_THROWS_AS(load_model(fixture.folder / "model.pt", {"bf16", {}}), core::InputError);
}

}  // namespace knnseq::model
