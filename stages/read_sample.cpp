#include "stages/read_sample.hpp"

#include <algorithm>
#include <cstring>

#include "core/types.hpp"
#include "index/sample_assembly.hpp"

namespace knnseq::stages {

namespace {

using Half = std::uint16_t;

/// Rows of each rank that travel together: bounds the memory of messages.
constexpr std::int64_t piece_rows = 8192;

/// Leaves out the rows of other entries.
void keep_rows(SampleRows& rows, const std::function<bool(std::int64_t)>& keep) {
  if (rows.entries.empty()) return;
  const std::size_t width = rows.keys.size() / rows.entries.size();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.entries.size(); ++i) {
    if (!keep(rows.entries[i])) continue;
    rows.entries[kept] = rows.entries[i];
    std::memmove(&rows.keys[kept * width], &rows.keys[i * width], width * sizeof(Half));
    ++kept;
  }
  rows.entries.resize(kept);
  rows.keys.resize(kept * width);
}

}  // namespace

index::SampleBlocks read_sample(runtime::StageContext& context, const SampledDatastore& datastore,
                                const SampleSpec& wanted, std::int64_t width,
                                const std::function<bool(std::int64_t)>& keep) {
  auto& comm = context.comm;
  SampleRows mine = find_sample_rows(context, datastore, wanted);
  if (keep) keep_rows(mine, keep);

  auto all_entries = comm.all_gather(std::span<const std::int64_t>(mine.entries)).values;
  std::sort(all_entries.begin(), all_entries.end());
  const auto place_of = [&](std::int64_t entry) {
    return std::lower_bound(all_entries.begin(), all_entries.end(), entry) - all_entries.begin();
  };

  index::SampleAssembly assembly(comm, std::ssize(all_entries), width, at::kHalf);
  const auto most = comm.all_reduce(std::ssize(mine.entries), comm::Reduction::max);
  for (std::int64_t begin = 0; begin < most; begin += piece_rows) {
    const core::Range rows{std::min(begin, std::ssize(mine.entries)),
                           std::min(begin + piece_rows, std::ssize(mine.entries))};
    std::vector<std::int64_t> places;
    for (auto row = rows.begin; row < rows.end; ++row) {
      places.push_back(place_of(mine.entries[static_cast<std::size_t>(row)]));
    }
    const auto keys =
        std::span<const Half>(mine.keys).subspan(static_cast<std::size_t>(rows.begin * width),
                                                 static_cast<std::size_t>(rows.size() * width));
    assembly.add(places, std::as_bytes(keys));
  }
  return assembly.finish();
}

}  // namespace knnseq::stages
