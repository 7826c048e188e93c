// The three methods of a TorchScript archive, their results checked.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/torchscript/torchscript_facts.hpp"

namespace knnseq::model {

/// What step() returns.
struct TorchscriptStep {
  at::Tensor queries;             ///< [R, d] fp32
  at::Tensor log_probs;           ///< [R, V] fp32, contiguous
  std::vector<at::Tensor> cache;  ///< each [R, …]
};

/// A loaded script on the CPU; docs/torchscript.md documents its methods. Tensors made here know
/// nothing of autograd. The script runs as it is written, without the optimiser, whose choices
/// depend on the calls before. All functions throw InputError naming file and method if the
/// script fails or returns another type, shape or dtype than documented.
class TorchscriptModule {
 public:
  /// Throws if the file is damaged or a method is missing or has another signature.
  TorchscriptModule(const std::filesystem::path& file, const ModelInfo& info);
  ~TorchscriptModule();
  TorchscriptModule(TorchscriptModule&&) noexcept;
  TorchscriptModule& operator=(TorchscriptModule&&) noexcept;

  /// source [B, S] int64, lengths [B] int64 → [B, S, source_width] fp32.
  at::Tensor encode(const at::Tensor& source, const at::Tensor& lengths) const;

  /// states [B, S, source_width], inputs [B, T] → keys [B, T, d], log-probs [B, T, V] if asked.
  std::pair<at::Tensor, at::Tensor> teacher_force(const at::Tensor& states,
                                                  const at::Tensor& lengths,
                                                  const at::Tensor& inputs,
                                                  const at::Tensor& input_lengths,
                                                  bool with_log_probs) const;

  /// tokens [R], states [R, S, source_width], lengths [R], cache of the step before.
  TorchscriptStep step(const at::Tensor& tokens, const at::Tensor& states,
                       const at::Tensor& lengths, const std::vector<at::Tensor>& cache) const;

  /// Throws InputError for `method` unless all of `vectors` is finite.
  void check_finite(const char* method, const at::Tensor& vectors) const;

  /// Throws InputError for `method` if a number of `log_probs` [rows, V] cannot be a log-prob,
  /// or the first row does not sum to 1. −∞ is a log-prob.
  void check_log_probs(const char* method, const at::Tensor& log_probs) const;

 private:
  struct Script;
  std::unique_ptr<Script> script_;
};

}  // namespace knnseq::model
