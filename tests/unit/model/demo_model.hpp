// The demo model and the figures that transformers made of it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "model/families/families.hpp"
#include "model/families/transformer_weights.hpp"
#include "model/load_model.hpp"
#include "model/safetensors/safetensors.hpp"
#include "model/transformer/transformer.hpp"

namespace knnseq::model::testing {

inline const std::filesystem::path source_folder = KNNSEQ_SOURCE_DIR;
inline const std::filesystem::path demo_folder = source_folder / "models/demo-de-en";

/// On the CPU, by either path.
inline std::unique_ptr<TranslationModel> load_demo_model(
    gpu::ComputePath path = gpu::ComputePath::cpu) {
  return load_model(demo_folder, {.path = path});
}

/// Not through load_model(), which refuses dtypes that the CPU has no instructions for.
inline TransformerParts read_demo_parts(const WeightTarget& target) {
  const ModelConfig config =
      read_marian_config(demo_folder, core::read_json(demo_folder / "config.json"),
                         core::read_json(demo_folder / "generation_config.json"));
  return read_transformer(config, SafetensorsFolder(demo_folder), target);
}

/// A file of figures; for what the demo model's holds see tests/support/make_marian_reference.py.
class Reference {
 public:
  explicit Reference(const std::filesystem::path& path = source_folder /
                                                         "tests/data/marian_reference.safetensors")
      : file_(path) {}

  at::Tensor tensor(const std::string& name) const { return file_.tensor(name); }

  /// "source", "target", "greedy", … sentences, EOS included.
  std::vector<std::vector<TokenId>> sentences(const std::string& side) const {
    const at::Tensor lengths = tensor(side + "_lengths");
    const at::Tensor ids = tensor(side + "_ids");
    const auto* id = ids.const_data_ptr<std::int32_t>();
    std::vector<std::vector<TokenId>> made;
    for (std::int64_t i = 0; i < lengths.size(0); ++i) {
      const auto length = lengths.const_data_ptr<std::int32_t>()[i];
      made.emplace_back(id, id + length);
      id += length;
    }
    return made;
  }

 private:
  SafetensorsFile file_;
};

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// ‖a − b‖ / ‖b‖, in double.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor exact = b.to(at::kDouble);
  return ((a.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

}  // namespace knnseq::model::testing
