// Takes weights from a model directory, checks their shapes and notices those nobody took.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "model/layer_norm.hpp"
#include "model/linear.hpp"
#include "model/safetensors_folder.hpp"

namespace knnseq::model {

/// All errors are InputErrors naming file and tensor. Where the files hold another dtype, weights
/// are converted one tensor at a time, so the whole takes little more memory than the result.
class WeightReader {
 public:
  /// `dtype` of matrix products: fp32 or bf16.
  WeightReader(const SafetensorsFolder& files, at::ScalarType dtype)
      : files_(files), dtype_(dtype) {}

  bool contains(const std::string& name) const { return files_.contains(name); }

  /// A table whose rows are looked up: a view of the mapped file, in the file's dtype.
  at::Tensor table(const std::string& name, const std::vector<std::int64_t>& shape);

  /// Made of "<prefix>.weight" [out, in] and "<prefix>.bias" [out].
  Linear linear(const std::string& prefix, std::int64_t out, std::int64_t in);

  /// Several linear layers of one input, [out, in] each, as one: outputs side by side.
  Linear joined(const std::vector<std::string>& prefixes, std::int64_t out, std::int64_t in);

  /// x·tableᵀ, plus the bias [1, rows of the table] of that name unless it is empty.
  Linear projection(const std::string& name, const std::vector<std::int64_t>& shape,
                    const std::string& bias);

  LayerNorm layer_norm(const std::string& prefix, std::int64_t width, double epsilon);

  /// Needs no reading: a copy of what was read under another name, or of what can be computed.
  void ignore(const std::string& name) { taken_.insert(name); }

  /// Throws where a tensor of the files was neither taken nor ignored.
  void finish() const;

 private:
  /// An own copy in `dtype`.
  at::Tensor copy(const std::string& name, const std::vector<std::int64_t>& shape,
                  at::ScalarType dtype);

  const SafetensorsFolder& files_;
  at::ScalarType dtype_;
  std::set<std::string> taken_;
};

}  // namespace knnseq::model
