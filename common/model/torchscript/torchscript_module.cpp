#include "model/torchscript/torchscript_module.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include "model/torchscript/torchscript_load.hpp"
#include "model/torchscript/torchscript_text.hpp"

namespace knnseq::model {

namespace {

/// As in make_transformer_cpu(); and no operator chooses another kernel because weights have
/// gradients.
struct NoGradients {
  at::NoGradGuard no_grad;
  at::AutoDispatchBelowADInplaceOrView below;
};

struct Signature {
  const char* method;
  const char* types;
};

constexpr Signature encode_signature{"encode", "(Tensor, Tensor) -> Tensor"};
constexpr Signature teacher_force_signature{
    "teacher_force", "(Tensor, Tensor, Tensor, Tensor, bool) -> Tuple[Tensor, Tensor]"};
constexpr Signature step_signature{
    "step", "(Tensor, Tensor, Tensor, List[Tensor]) -> Tuple[Tensor, Tensor, List[Tensor]]"};

}  // namespace

struct TorchscriptModule::Script {
  std::string path;
  ModelInfo info;
  torch::jit::Module module;

  [[noreturn]] void fail(const char* method, const std::string& message) const {
    throw core::InputError(path, fmt::format("{}: {}", method, message));
  }

  void check_signature(const Signature& expected) const {
    const auto method = module.find_method(expected.method);
    if (!method) fail(expected.method, "the script has no such method");
    const std::string types = describe(method->function().getSchema());
    if (types != expected.types) {
      fail(expected.method, fmt::format("is {}, not {}", types, expected.types));
    }
  }

  c10::IValue call(const Signature& signature, std::vector<c10::IValue> arguments) const {
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    try {
      return module.get_method(signature.method)(std::move(arguments));
    } catch (const std::exception& error) {
      fail(signature.method, what_failed(error));
    }
  }

  /// The tensor, which must be of this shape; contiguous.
  at::Tensor check(const Signature& signature, const char* name, const c10::IValue& value,
                   at::IntArrayRef shape) const {
    const at::Tensor tensor = value.toTensor();
    if (!tensor.defined() || !tensor.device().is_cpu() || tensor.layout() != at::kStrided ||
        tensor.scalar_type() != at::kFloat || tensor.sizes() != shape) {
      fail(signature.method,
           fmt::format("{} are {}, not float32 [{}] on the CPU", name,
                       tensor.defined()
                           ? fmt::format("{} [{}] on {}", c10::toString(tensor.scalar_type()),
                                         fmt::join(tensor.sizes(), ", "), tensor.device().str())
                           : "undefined",
                       fmt::join(shape, ", ")));
    }
    return tensor.contiguous();
  }
};

TorchscriptModule::TorchscriptModule(const std::filesystem::path& file, const ModelInfo& info)
    : script_(std::make_unique<Script>(Script{file.string(), info, {}})) {
  script_->module = load_script(file);
  script_->check_signature(encode_signature);
  script_->check_signature(teacher_force_signature);
  script_->check_signature(step_signature);
}

TorchscriptModule::~TorchscriptModule() = default;
TorchscriptModule::TorchscriptModule(TorchscriptModule&&) noexcept = default;
TorchscriptModule& TorchscriptModule::operator=(TorchscriptModule&&) noexcept = default;

at::Tensor TorchscriptModule::encode(const at::Tensor& source, const at::Tensor& lengths) const {
  const NoGradients guard;
  const c10::IValue made = script_->call(encode_signature, {source, lengths});
  return script_->check(encode_signature, "states", made,
                        {source.size(0), source.size(1), script_->info.source_width});
}

std::pair<at::Tensor, at::Tensor> TorchscriptModule::teacher_force(const at::Tensor& states,
                                                                   const at::Tensor& lengths,
                                                                   const at::Tensor& inputs,
                                                                   const at::Tensor& input_lengths,
                                                                   bool with_log_probs) const {
  const NoGradients guard;
  const auto& signature = teacher_force_signature;
  const auto made =
      script_->call(signature, {states, lengths, inputs, input_lengths, with_log_probs});
  const auto parts = made.toTuple();
  const std::int64_t rows = inputs.size(0);
  const std::int64_t columns = inputs.size(1);
  const at::Tensor keys =
      script_->check(signature, "keys", parts->elements()[0], {rows, columns, script_->info.width});
  if (!with_log_probs) return {keys, {}};
  return {keys, script_->check(signature, "log-probs", parts->elements()[1],
                               {rows, columns, script_->info.vocab_size})};
}

TorchscriptStep TorchscriptModule::step(const at::Tensor& tokens, const at::Tensor& states,
                                        const at::Tensor& lengths,
                                        const std::vector<at::Tensor>& cache) const {
  const NoGradients guard;
  const auto& signature = step_signature;
  const auto made =
      script_->call(signature, {tokens, states, lengths, c10::List<at::Tensor>(cache)}).toTuple();
  const std::int64_t rows = tokens.size(0);
  TorchscriptStep out;
  out.queries =
      script_->check(signature, "queries", made->elements()[0], {rows, script_->info.width});
  out.log_probs =
      script_->check(signature, "log-probs", made->elements()[1], {rows, script_->info.vocab_size});
  out.cache = made->elements()[2].toTensorVector();
  for (const at::Tensor& tensor : out.cache) {
    if (!tensor.defined() || tensor.dim() == 0 || tensor.size(0) != rows) {
      script_->fail(signature.method, "the first dimension of a cache tensor is not the rows");
    }
    if (tensor.is_alias_of(out.log_probs)) {
      script_->fail(signature.method, "the log-probs, which the caller changes, are in the cache");
    }
  }
  return out;
}

void TorchscriptModule::check_finite(const char* method, const at::Tensor& vectors) const {
  if (vectors.numel() > 0 && !std::isfinite(vectors.abs().max().item<float>())) {
    script_->fail(method, "returns vectors that are not finite");
  }
}

void TorchscriptModule::check_log_probs(const char* method, const at::Tensor& log_probs) const {
  constexpr float tolerance = 1e-3f;
  if (log_probs.numel() == 0) return;
  const bool possible = log_probs.max().item<float>() <= tolerance;  // false for NaN
  if (!possible || !(std::abs(log_probs[0].logsumexp(0).item<float>()) <= tolerance)) {
    script_->fail(method, "returns numbers that are not log-probabilities");
  }
}

}  // namespace knnseq::model
