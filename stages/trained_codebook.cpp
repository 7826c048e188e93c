#include "stages/trained_codebook.hpp"

#include "runtime/stage_runner.hpp"

namespace knnseq::stages {

index::Codebook read_trained_codebook(const FinishedStep& step) {
  const auto manifest = runtime::require_manifest(step.folder, step.stage, step.command);
  return index::read_codebook(
      runtime::require_file(step.folder, manifest, "codebook.faiss", step.command));
}

}  // namespace knnseq::stages
