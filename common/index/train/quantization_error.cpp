#include "index/train/quantization_error.hpp"

#include <algorithm>
#include <vector>

#include "index/quantize/pq_codes.hpp"
#include "index/sample/fixed_point_sum.hpp"

namespace knnseq::index {

namespace {

/// Codes of 4 bits a sub-vector, the lower half of a byte first, as a byte each.
at::Tensor unpack_nibbles(const at::Tensor& codes) {
  const at::Tensor both = at::stack({codes.bitwise_and(15), codes.bitwise_right_shift(4)}, 2);
  return both.flatten(1);
}

}  // namespace

at::Tensor decode_entries(const Codebook& codebook, const at::Tensor& codes,
                          const at::Tensor& lists) {
  const IndexSpec& spec = codebook.spec;
  if (!spec.has_quantizer()) return codes.contiguous().view(at::kFloat);
  at::Tensor vectors =
      pq_decode(spec.nbits() == 4 ? unpack_nibbles(codes) : codes, codebook.pq_centroids);
  if (spec.has_lists()) vectors += at::index_select(codebook.coarse_centroids, 0, lists);
  return vectors;
}

double quantization_error(comm::Communicator& comm, const VectorQuantizer& quantizer,
                          const SampleBlocks& sample) {
  const Codebook& codebook = quantizer.codebook();
  const bool has_lists = codebook.spec.has_lists();
  std::vector<double> squares;  // of each block
  for (const at::Tensor& block : sample.blocks) {
    if (block.size(0) == 0) continue;
    const at::Tensor rotated = quantizer.rotate(block.to(quantizer.device()));
    const at::Tensor lists = has_lists ? quantizer.assign_exact(rotated) : at::Tensor();
    const at::Tensor decoded = decode_entries(codebook, quantizer.encode(rotated, lists).cpu(),
                                              has_lists ? lists.cpu() : lists);
    const at::Tensor lost = (rotated.cpu() - decoded).to(at::kDouble);
    squares.push_back(at::sum(at::square(lost)).item<double>());
  }
  const double largest = squares.empty() ? 0 : *std::max_element(squares.begin(), squares.end());
  const auto blocks = comm.all_reduce(std::ssize(squares), comm::Reduction::sum);
  FixedPointSum sum(agree_on_fixed_point(comm, largest, blocks), 1);
  for (const double square : squares) sum.add_at(0, square);
  return sum.total(comm).front() / static_cast<double>(sample.total_rows);
}

}  // namespace knnseq::index
