// The entries of one share of the datastore, coded for an index.
#pragma once

#include "index/faiss_io/coded_entries.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "stages/sweep/own_keys.hpp"

namespace knnseq::stages {

/// Codes a share's entries unit by unit; each batch of the corpus alone, as add does, so that codes
/// do not depend on shards or ranks.
class ShareEntries {
 public:
  /// share: n of in_share(). `device` codes; what was coded is kept in the host's memory.
  ShareEntries(const index::Codebook& codebook, at::Device device, std::int64_t share)
      : coder_(codebook, device), share_(share) {}

  /// Appends those of the unit's entries that belong to the share.
  void add(const KeyUnit& unit);

  /// All that were added; none are left here.
  index::CodedEntries take();

 private:
  void add_rows(const KeyUnit& unit, const at::Tensor& rows);

  index::VectorQuantizer coder_;
  std::int64_t share_;
  std::vector<at::Tensor> lists_, codes_, ids_;
};

}  // namespace knnseq::stages
