#include "model/sentence_encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include "core/error.hpp"
#include "model/torchscript/torchscript_load.hpp"
#include "model/torchscript/torchscript_text.hpp"

namespace knnseq::model {

struct SentenceEncoder::Script {
  std::string path;
  torch::jit::Module module;

  [[noreturn]] void fail(const std::string& message) const {
    throw core::InputError(path, "encode: " + message);
  }

  at::Tensor call(const std::vector<std::string>& sentences) const {
    const at::NoGradGuard no_grad;
    const at::AutoDispatchBelowADInplaceOrView below;
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    c10::List<std::string> list;
    for (const auto& sentence : sentences) list.push_back(sentence);
    try {
      return module.get_method("encode")({list}).toTensor();
    } catch (const std::exception& error) {
      fail(what_failed(error));
    }
  }
};

SentenceEncoder::SentenceEncoder(const std::filesystem::path& file)
    : script_(std::make_unique<Script>(Script{file.string(), {}})) {
  script_->module = load_script(file);
  const auto method = script_->module.find_method("encode");
  if (!method) script_->fail("the script has no such method");
  constexpr const char* expected = "(List[str]) -> Tensor";
  const std::string types = describe(method->function().getSchema());
  if (types != expected) script_->fail(fmt::format("is {}, not {}", types, expected));
  const at::Tensor vectors = script_->call({"."});
  if (vectors.dim() == 2) width_ = vectors.size(1);
  if (width_ == 0) script_->fail("the vectors of a sentence are not [sentences, width]");
}

SentenceEncoder::~SentenceEncoder() = default;
SentenceEncoder::SentenceEncoder(SentenceEncoder&&) noexcept = default;
SentenceEncoder& SentenceEncoder::operator=(SentenceEncoder&&) noexcept = default;

at::Tensor SentenceEncoder::encode(const std::vector<std::string>& sentences) const {
  const auto count = static_cast<std::int64_t>(sentences.size());
  if (count == 0) return at::empty({0, width_}, at::kFloat);
  const at::Tensor vectors = script_->call(sentences);
  if (!vectors.device().is_cpu() || vectors.scalar_type() != at::kFloat ||
      vectors.sizes() != at::IntArrayRef({count, width_})) {
    script_->fail(fmt::format("the vectors of {} sentences are {} [{}] on {}, not float32 [{}, {}]",
                              count, c10::toString(vectors.scalar_type()),
                              fmt::join(vectors.sizes(), ", "), vectors.device().str(), count,
                              width_));
  }
  if (!at::isfinite(vectors).all().item<bool>()) script_->fail("a vector is not finite");
  return vectors.contiguous();
}

}  // namespace knnseq::model
