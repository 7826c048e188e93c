// How fast the device looks numbers up in shared memory: the bound of a scan's speed.
#pragma once

#include <cstdint>

namespace knnseq::benchmarks {

/// Queues `blocks` blocks of 256 threads, each of which adds up 64 · rounds entries of a table
/// [64, 256] in shared memory, at places that look random, as a scan of 64-byte codes does; nothing
/// else is read. half_table: fp16 entries, else fp32. out: [blocks · 256] fp32 of the device.
void launch_shared_lookups(std::int64_t blocks, std::int64_t rounds, bool half_table, float* out);

}  // namespace knnseq::benchmarks
