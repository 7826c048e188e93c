// The encoder-decoder Transformer on libtorch: transformer_cpu.cpp for CPUs, transformer_torch.cpp
// for GPUs.
#pragma once

#include <memory>
#include <utility>

#include "gpu/compute_path.hpp"
#include "model/base/translation_model.hpp"
#include "model/transformer/transformer_parts.hpp"

namespace knnseq::model {

/// For tests: called with layers' outputs in teacher forcing, [rows, d] of one run of sentences
/// after another.
struct TransformerObserver {
  LayerObserver encoder = {};
  LayerObserver decoder = {};
};

std::unique_ptr<TranslationModel> make_transformer_cpu(TransformerParts parts,
                                                       TransformerObserver observer);
std::unique_ptr<TranslationModel> make_transformer_torch(TransformerParts parts);

/// ComputePath::cpu: batches are cut into runs of a fixed number of tokens that stay in the cache;
/// threads take whole runs if there are enough, else they share each product. With an observer,
/// runs are worked on one after another.
///
/// ComputePath::torch takes a batch as a whole: linear layers see all tokens packed, fused
/// attention sees sentences padded to the longest. Everything that depends on the batch (tokens,
/// positions, where rows lie) is worked out on the host and goes over in one copy a call; nothing
/// waits for the device. All tensors in and out are on the device that the parts' weights are on,
/// which may be the CPU: tests compare the two paths there. Nothing is observed.
inline std::unique_ptr<TranslationModel> make_transformer(TransformerParts parts,
                                                          gpu::ComputePath path,
                                                          TransformerObserver observer = {}) {
  if (path == gpu::ComputePath::torch) return make_transformer_torch(std::move(parts));
  return make_transformer_cpu(std::move(parts), std::move(observer));
}

}  // namespace knnseq::model
