// Takes weights from a safetensors file, checks their shapes and notices those nobody took.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "model/layer_norm.hpp"
#include "model/linear.hpp"
#include "model/safetensors.hpp"

namespace knnseq::model {

/// All errors are InputErrors naming file and tensor.
class WeightReader {
 public:
  explicit WeightReader(const SafetensorsFile& file) : file_(file) {}

  bool contains(const std::string& name) const { return file_.contains(name); }

  /// In fp32, contiguous.
  at::Tensor tensor(const std::string& name, const std::vector<std::int64_t>& shape);

  /// "<prefix>.weight" [out, in] and "<prefix>.bias" [out].
  Linear linear(const std::string& prefix, std::int64_t out, std::int64_t in);

  /// Several linear layers of one input, [width, width] each, as one: outputs side by side.
  Linear joined(const std::vector<std::string>& prefixes, std::int64_t width);

  LayerNorm layer_norm(const std::string& prefix, std::int64_t width, double epsilon);

  /// Needs no reading: a copy of what was read under another name.
  void ignore(const std::string& name) { taken_.insert(name); }

  /// Throws where a tensor of the file was neither taken nor ignored.
  void finish() const;

 private:
  const SafetensorsFile& file_;
  std::set<std::string> taken_;
};

}  // namespace knnseq::model
