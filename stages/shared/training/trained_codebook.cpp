#include "stages/shared/training/trained_codebook.hpp"

#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/manifests.hpp"

namespace knnseq::stages {

index::Codebook read_trained_codebook(const StageRef& step) {
  const auto manifest = runtime::require_manifest(step.folder, step.stage, step.command);
  const auto facts = CodebookManifest::from_json(manifest).facts;
  const auto file = runtime::require_file(step.folder, manifest, "codebook.faiss", step.command);
  auto codebook = index::read_codebook(file);
  if (codebook.spec.nlist == facts.lists) return codebook;
  throw core::InputError(file, "has other lists than its manifest says");
}

}  // namespace knnseq::stages
