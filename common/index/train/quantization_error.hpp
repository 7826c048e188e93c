// How far keys are from what the index stores of them.
#pragma once

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/sample/sample_blocks.hpp"

namespace knnseq::index {

/// The vectors that VectorQuantizer::encode() made codes of, decoded from the codes: fp32 [n,
/// d_out]. codes uint8 [n, code_bytes]; lists int32 [n] if there are lists.
at::Tensor decode_entries(const Codebook& codebook, const at::Tensor& codes,
                          const at::Tensor& lists);

/// Mean squared distance between the rotated keys of a sample (≥ 1 row) and their codes, 0 without
/// a quantiser. What a transform to fewer dimensions leaves out is not counted. Summed exactly, so
/// the same on all ranks and for any number of them. Collective. Throws core::InputError on all
/// ranks where the sample is not finite.
double quantization_error(comm::Communicator& comm, const VectorQuantizer& quantizer,
                          const SampleBlocks& sample);

}  // namespace knnseq::index
