// Takes weights from a model directory, checks their shapes and reports those left over.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/layers/layer_norm.hpp"
#include "model/layers/linear.hpp"
#include "model/safetensors/safetensors_folder.hpp"

namespace knnseq::model {

/// Where weights go, and in which dtype.
struct WeightTarget {
  at::ScalarType dtype = at::kFloat;  ///< of matrix products: fp32, bf16 or fp16
  at::Device device = at::kCPU;
  LinearKernel kernel = best_linear_kernel();  ///< fused on GPUs; int8 with fp32
};

/// All errors are InputErrors naming file and tensor. If the files hold another dtype, weights are
/// converted one tensor at a time, so the whole takes little more memory than the result; on GPUs
/// they are converted there. Every number is checked first, which takes a pass over the mapped
/// file: a NaN could vanish in a ReLU and go unnoticed. So all numbers are finite, also in the
/// dtype that they are converted to.
class WeightReader {
 public:
  WeightReader(const SafetensorsFolder& files, const WeightTarget& target)
      : files_(files), target_(target) {}

  bool contains(const std::string& name) const { return files_.contains(name); }

  /// A table whose rows are looked up, in the file's dtype: on the CPU a view of the mapped file.
  at::Tensor table(const std::string& name, const std::vector<std::int64_t>& shape);

  /// Made of "<prefix>.weight" [out, in] and "<prefix>.bias" [out].
  Linear linear(const std::string& prefix, std::int64_t out, std::int64_t in);

  /// Several linear layers of one input, [out, in] each, as one: outputs side by side.
  Linear joined(const std::vector<std::string>& prefixes, std::int64_t out, std::int64_t in);

  /// x·tableᵀ, plus the bias [1, rows of the table] of that name unless it is empty. The bias may
  /// hold −∞, which is how an output is switched off.
  Linear projection(const std::string& name, const std::vector<std::int64_t>& shape,
                    const std::string& bias);

  /// `input` is the dtype of what is to be normalised: CPUs take fp32 weights for any, GPUs only
  /// those of the same.
  LayerNorm layer_norm(const std::string& prefix, std::int64_t width, double epsilon,
                       at::ScalarType input);

  /// Needs no reading: a copy of what was read under another name, or of what can be computed.
  void ignore(const std::string& name) { taken_.insert(name); }

  /// Throws if a tensor of the files was neither taken nor ignored.
  void finish() const;

 private:
  enum class Values { finite, minus_infinity_too };

  /// A view of the mapped file, its shape checked, and its values for a use in `dtype`.
  at::Tensor view(const std::string& name, const std::vector<std::int64_t>& shape,
                  at::ScalarType dtype, Values values = Values::finite);
  void check_values(const std::string& name, const at::Tensor& raw, at::ScalarType dtype,
                    Values values);
  /// On the device in the dtype of matrix products; the view itself if it fits already.
  at::Tensor converted(const std::string& name, const std::vector<std::int64_t>& shape);
  /// A copy in `dtype`.
  at::Tensor copy(const std::string& name, const std::vector<std::int64_t>& shape,
                  at::ScalarType dtype, Values values = Values::finite);

  const SafetensorsFolder& files_;
  WeightTarget target_;
  std::set<std::string> taken_;
  std::map<std::string, double> largest_;  ///< magnitude of what was looked at
};

}  // namespace knnseq::model
