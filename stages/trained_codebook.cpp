#include "stages/trained_codebook.hpp"

#include "runtime/stage_runner.hpp"

namespace knnseq::stages {

index::Codebook read_trained_codebook(const CorpusPlace& place) {
  const auto manifest = runtime::require_manifest(place.codebook, "train", "train");
  return index::read_codebook(
      runtime::require_file(place.codebook, manifest, "codebook.faiss", "train"));
}

}  // namespace knnseq::stages
