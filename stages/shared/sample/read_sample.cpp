#include "stages/shared/sample/read_sample.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include <ATen/ATen.h>

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

/// The same keys as fp32.
std::vector<std::byte> widen(std::vector<std::byte>& keys, KeyType type) {
  const auto from = scalar_type_of(type);
  const auto count = std::ssize(keys) / static_cast<std::int64_t>(c10::elementSize(from));
  const auto values = at::from_blob(keys.data(), {count}, from).to(at::kFloat);
  const auto bytes = bytes_of(values);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

KeyType joint_type(const std::vector<SamplePart>& parts) {
  const auto first = parts.front().datastore.type;
  const bool alike = std::ranges::all_of(
      parts, [&](const SamplePart& part) { return part.datastore.type == first; });
  return alike ? first : KeyType::fp32;
}

std::vector<std::int64_t> divide_sample(std::int64_t size,
                                        const std::vector<std::int64_t>& entries) {
  const auto all = std::accumulate(entries.begin(), entries.end(), std::int64_t{0});
  const auto rows_until = [&](std::int64_t entry) {  // 64 bits of mantissa: numbers are below 2^40
    return static_cast<std::int64_t>(static_cast<long double>(std::min(size, all)) *
                                     static_cast<long double>(entry) /
                                     static_cast<long double>(std::max<std::int64_t>(all, 1)));
  };
  std::vector<std::int64_t> rows;
  std::int64_t before = 0;
  for (const auto count : entries) {
    rows.push_back(std::min(rows_until(before + count) - rows_until(before), count));
    before += count;
  }
  return rows;
}

index::SampleBlocks read_joint_sample(runtime::StageContext& context,
                                      const std::vector<SamplePart>& parts,
                                      const SampleSpec& wanted, std::int64_t width) {
  std::vector<std::int64_t> entries;
  for (const auto& part : parts) entries.push_back(part.datastore.corpus.entries);
  const auto rows = divide_sample(wanted.size, entries);
  const auto type = joint_type(parts);
  SampleRows all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& part = parts[i];
    if (rows[i] == 0) continue;
    auto of_part = wanted;
    of_part.size = rows[i];
    auto found = find_sample_rows(context, part.datastore, of_part.of(entries[i]));
    if (part.datastore.type != type) found.keys = widen(found.keys, part.datastore.type);
    all.keys.insert(all.keys.end(), found.keys.begin(), found.keys.end());
    for (const auto entry : found.entries) all.entries.push_back(part.first_entry + entry);
  }
  return distribute_sample_rows(context.comm, all, width, scalar_type_of(type));
}

index::SampleBlocks read_sample(runtime::StageContext& context, const SampledDatastore& datastore,
                                const SampleSpec& wanted, std::int64_t width,
                                const std::function<bool(std::int64_t)>& keep) {
  SampleRows mine = find_sample_rows(context, datastore, wanted);
  if (keep) keep_rows(mine, keep);
  return distribute_sample_rows(context.comm, mine, width, scalar_type_of(datastore.type));
}

}  // namespace knnseq::stages
