// Sentences to vectors, by a model of the user's own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace knnseq::model {

/// A TorchScript archive with the method
///   encode(sentences: List[str]) -> Tensor
/// which gives a vector for each sentence, float32 [sentences, d] (docs/torchscript.md). It runs as
/// it is written, without the optimiser. All functions throw core::InputError naming the file if
/// the script fails or does not conform to this.
class SentenceEncoder {
 public:
  /// Loads the archive and encodes one sentence.
  explicit SentenceEncoder(const std::filesystem::path& file);
  ~SentenceEncoder();
  SentenceEncoder(SentenceEncoder&&) noexcept;
  SentenceEncoder& operator=(SentenceEncoder&&) noexcept;

  std::int64_t width() const { return width_; }

  /// fp32 [sentences, width()]. Results may depend on which sentences come together.
  at::Tensor encode(const std::vector<std::string>& sentences) const;

 private:
  struct Script;
  std::unique_ptr<Script> script_;
  std::int64_t width_ = 0;
};

}  // namespace knnseq::model
