#include "index/faiss_io/crowded_entries.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "core/hash.hpp"
#include "obs/progress_meter.hpp"

namespace knnseq::index {

namespace {

/// Of a node on the lowest level, where all entries are.
std::int64_t links_of(const IndexSpec& spec) { return 2 * spec.edges; }

}  // namespace

std::int64_t count_crowded(const IndexSpec& spec, std::span<const std::uint8_t> codes) {
  if (spec.storage != Storage::hnsw) return 0;
  const auto bytes = static_cast<std::size_t>(spec.code_bytes());
  std::vector<std::uint64_t> hashes;
  hashes.reserve(codes.size() / bytes);
  for (std::size_t at = 0; at < codes.size(); at += bytes) {
    hashes.push_back(core::checksum(std::as_bytes(codes.subspan(at, bytes))));
  }
  std::ranges::sort(hashes);
  std::int64_t crowded = 0;
  for (auto group = hashes.begin(); group != hashes.end();) {
    const auto next = std::upper_bound(group, hashes.end(), *group);
    if (next - group > links_of(spec)) crowded += next - group;
    group = next;
  }
  return crowded;
}

std::string warning_of_crowd(const IndexSpec& spec, std::int64_t crowded, std::int64_t entries) {
  if (crowded == 0) return "";
  return fmt::format(
      "{} of {} entries ({:.1f} %) have a vector that occurs more than {} times, which is more "
      "often than a node of {} has links: searches do not find their way past equal vectors and "
      "miss nearer ones, and adding is slow; use Flat or IVFn lists, or leave repeated sentences "
      "out of the corpus",
      obs::with_commas(crowded), obs::with_commas(entries),
      100.0 * static_cast<double>(crowded) / static_cast<double>(entries), links_of(spec),
      spec.factory());
}

}  // namespace knnseq::index
