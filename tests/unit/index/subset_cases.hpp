// Small sets of codes, for the CPU's search in them and the devices'.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "index/search/subset_scan.hpp"
#include "unit/index/synthetic.hpp"

namespace knnseq::test {

/// A codebook without lists, with many equal codes in what is added to it.
struct SubsetCase {
  index::Codebook codebook;
  std::vector<at::Tensor> codes;  ///< of each set
  std::vector<std::vector<std::int64_t>> ids;

  SubsetCase(const std::string& factory, const std::string& metric,
             const std::vector<std::int64_t>& sizes) {
    codebook = train_alone(clustered(1500, 24, 5), index::parse_index_spec(factory, 24, metric),
                           quick_options());
    const index::VectorQuantizer quantizer(codebook);
    std::int64_t number = 100'000;
    for (const auto size : sizes) {
      const at::Tensor few = clustered(std::max<std::int64_t>(size / 4, 1), 24, 6);
      const at::Tensor keys =
          at::cat({clustered(size, 24, 7), few.repeat({4, 1})}).narrow(0, 0, size);
      codes.push_back(quantizer.encode(quantizer.rotate(keys), {}));
      ids.emplace_back();
      // descending, so that the order of appending is not that of ties
      for (std::int64_t i = 0; i < size; ++i) {
        ids.back().push_back(core::pack_entry_id(static_cast<core::TokenId>(i % 50), number--));
      }
    }
  }

  index::SubsetScan scan(const index::ScanCentroids& centroids,
                         const index::SimdKernels* kernels = nullptr) const {
    index::SubsetScan made({centroids, codebook.spec.metric, kernels}, sizes());
    for (std::size_t set = 0; set < ids.size(); ++set) {
      const auto of_set = index::span_of<std::uint8_t>(codes[set]);
      const auto half = ids[set].size() / 2;
      const auto m = static_cast<std::size_t>(codebook.spec.m);
      const auto all = std::span<const std::int64_t>(ids[set]);
      made.append(static_cast<std::int64_t>(set), of_set.first(half * m), all.first(half));
      made.append(static_cast<std::int64_t>(set), of_set.subspan(half * m), all.subspan(half));
    }
    return made;
  }

  /// The same on a device, appended in the order of the entries.
  index::SubsetScanTorch device_scan(const index::AdcTorch& adc, std::int64_t workspace) const {
    index::SubsetScanTorch made(adc, sizes(), workspace);
    const auto m = static_cast<std::size_t>(codebook.spec.m);
    for (std::size_t set = 0; set < ids.size(); ++set) {
      const auto of_set = index::span_of<std::uint8_t>(codes[set]);
      const auto all = std::span<const std::int64_t>(ids[set]);
      for (std::size_t i = all.size(); i-- > 0;) {
        made.append(static_cast<std::int64_t>(set), of_set.subspan(i * m, m), all.subspan(i, 1));
      }
    }
    made.finish();
    return made;
  }

  std::vector<std::int64_t> sizes() const {
    std::vector<std::int64_t> result;
    for (const auto& of_set : ids) result.push_back(std::ssize(of_set));
    return result;
  }
};

}  // namespace knnseq::test
