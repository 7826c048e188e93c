#include "stages/shared/sample/read_sample.hpp"

#include <cstring>

#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/sample/distribute_sample_rows.hpp"

namespace knnseq::stages {

namespace {

/// Leaves out the rows of other entries.
void keep_rows(SampleRows& rows, const std::function<bool(std::int64_t)>& keep) {
  if (rows.entries.empty()) return;
  const std::size_t bytes = rows.keys.size() / rows.entries.size();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.entries.size(); ++i) {
    if (!keep(rows.entries[i])) continue;
    rows.entries[kept] = rows.entries[i];
    std::memmove(&rows.keys[kept * bytes], &rows.keys[i * bytes], bytes);
    ++kept;
  }
  rows.entries.resize(kept);
  rows.keys.resize(kept * bytes);
}

}  // namespace

index::SampleBlocks read_sample(runtime::StageContext& context, const SampledDatastore& datastore,
                                const SampleSpec& wanted, std::int64_t width,
                                const std::function<bool(std::int64_t)>& keep) {
  SampleRows mine = find_sample_rows(context, datastore, wanted);
  if (keep) keep_rows(mine, keep);
  return distribute_sample_rows(context.comm, mine, width, scalar_type_of(datastore.type));
}

}  // namespace knnseq::stages
