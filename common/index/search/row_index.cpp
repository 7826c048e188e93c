#include "index/search/row_index.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "comm/agreement.hpp"
#include "index/faiss_io/row_file.hpp"
#include "index/search/entry_parts.hpp"
#include "index/search/flat_scan.hpp"
#include "index/search/pq_scan.hpp"

namespace knnseq::index {

namespace {

/// Rows that are filled, and scanned, together.
struct RowPiece {
  std::size_t file;
  core::Range rows;  ///< of the file; of a part: counted without those of other parts
};

/// Cuts files with so many rows. Pieces are of more than a cache holds only if there were too many.
std::vector<RowPiece> cut_rows(const std::vector<std::int64_t>& counts) {
  constexpr std::int64_t least_rows = 8192;
  constexpr std::int64_t most_pieces = 256;
  const auto total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  const std::int64_t rows = std::max(least_rows, core::ceil_div(total, most_pieces));
  std::vector<RowPiece> pieces;
  for (std::size_t file = 0; file < counts.size(); ++file) {
    for (std::int64_t first = 0; first < counts[file]; first += rows) {
      pieces.push_back({file, {first, std::min(first + rows, counts[file])}});
    }
  }
  return pieces;
}

std::unique_ptr<ListIndex> make_empty(const Codebook& codebook, const std::vector<RowPiece>& pieces,
                                      const LocalIndexOptions& options) {
  std::vector<std::int64_t> sizes;
  for (const RowPiece& piece : pieces) sizes.push_back(piece.rows.size());
  if (codebook.spec.storage == Storage::flat) {
    return std::make_unique<FlatScan>(
        codebook.spec, sizes, shared_memory(options, FlatScan::memory_bytes(codebook.spec, sizes)));
  }
  return std::make_unique<PqScan>(
      codebook, sizes, shared_memory(options, ScanLists::memory_bytes(codebook.spec.m, sizes)));
}

/// Hands a piece over, some rows at a time.
void append_piece(ListIndex& index, std::int64_t number, const RowPiece& piece, const RowFile& file,
                  const Stride& stride) {
  constexpr std::int64_t together = 8192;
  const auto parts = static_cast<std::int64_t>(stride.parts);
  const std::int64_t step = std::max<std::int64_t>(together / parts, 1);
  for (auto first = piece.rows.begin; first < piece.rows.end; first += step) {
    const auto last = std::min(first + step, piece.rows.end) - 1;
    const auto begin = first * parts + static_cast<std::int64_t>(stride.part);
    const ShardEntries read = file.read({begin, begin + (last - first) * parts + 1});
    if (parts == 1) {
      index.append(number, read.codes, read.ids);
      continue;
    }
    Entries entries;
    for (std::size_t i = 0; i < read.ids.size(); i += stride.parts) {
      entries.add(read.code(i).data(), read.code(i).size(), read.ids[i]);
    }
    index.append(number, entries.codes, entries.ids);
  }
}

}  // namespace

bool is_row_index(const IndexSpec& spec, Backend backend) {
  const bool coded = spec.storage == Storage::pq || spec.storage == Storage::flat;
  return !spec.has_lists() && coded && backend == Backend::knnseq;
}

std::unique_ptr<LocalIndex> load_row_index(const Codebook& codebook,
                                           const std::vector<std::filesystem::path>& shard_files,
                                           const LocalIndexOptions& options) {
  const auto agreed = [&](const std::function<void()>& work) {
    options.sharers != nullptr ? comm::agree(*options.sharers, work) : work();
  };
  const Stride stride(options);
  std::vector<RowFile> files;
  std::vector<std::int64_t> counts;
  agreed([&] {
    for (const auto& path : shard_files) {
      const auto& file = files.emplace_back(path, codebook, options.ids);
      counts.push_back(
          static_cast<std::int64_t>(stride.count(static_cast<std::size_t>(file.entries()))));
    }
  });
  const auto pieces = cut_rows(counts);
  auto index = make_empty(codebook, pieces, options);
  agreed([&] {  // which is also the barrier between writing and reading
    const core::Range mine = own_lists(options, std::ssize(pieces));
    for (auto i = mine.begin; i < mine.end; ++i) {
      const RowPiece& piece = pieces[static_cast<std::size_t>(i)];
      append_piece(*index, i, piece, files[piece.file], stride);
    }
  });
  index->finish();
  return index;
}

std::unique_ptr<LocalIndex> make_row_index(const Codebook& codebook,
                                           std::span<const std::uint8_t> codes,
                                           std::span<const std::int64_t> ids) {
  const auto pieces = cut_rows({std::ssize(ids)});
  const auto code_bytes = static_cast<std::size_t>(codebook.spec.code_bytes());
  auto index = make_empty(codebook, pieces, {});
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto first = static_cast<std::size_t>(pieces[i].rows.begin);
    const auto count = static_cast<std::size_t>(pieces[i].rows.size());
    index->append(static_cast<std::int64_t>(i),
                  codes.subspan(first * code_bytes, count * code_bytes), ids.subspan(first, count));
  }
  index->finish();
  return index;
}

}  // namespace knnseq::index
