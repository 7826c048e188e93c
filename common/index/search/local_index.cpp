#include "index/search/local_index.hpp"

#include <cstring>

#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexIVF.h>
#include <faiss/invlists/InvertedLists.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "index/faiss_io/open_shards.hpp"
#include "index/search/entry_parts.hpp"
#include "index/search/faiss_list_index.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "index/search/list_index.hpp"
#include "index/search/row_index.hpp"
#include "index/search/whole_index.hpp"

namespace knnseq::index {

namespace {

/// Hands a part of a mapped list over. Its ids need not be aligned.
void append_part(ListIndex& index, const faiss::InvertedLists& lists, std::size_t list,
                 const Stride& stride) {
  const std::size_t size = lists.list_size(list);
  const faiss::InvertedLists::ScopedCodes codes(&lists, list);
  const faiss::InvertedLists::ScopedIds ids(&lists, list);
  const void* from_ids = ids.ids;
  const auto number = static_cast<std::int64_t>(list);
  if (stride.parts == 1) {
    const std::span<const std::uint8_t> all_codes(codes.codes, size * lists.code_size);
    if (reinterpret_cast<std::uintptr_t>(from_ids) % alignof(std::int64_t) == 0) {
      index.append(number, all_codes, {static_cast<const std::int64_t*>(from_ids), size});
      return;
    }
    std::vector<std::int64_t> all(size);
    if (size > 0) std::memcpy(all.data(), from_ids, size * sizeof(std::int64_t));
    index.append(number, all_codes, all);
    return;
  }
  Entries entries;
  for (std::size_t i = stride.part; i < size; i += stride.parts) {
    std::int64_t id = 0;
    std::memcpy(&id, static_cast<const char*>(from_ids) + i * sizeof(id), sizeof(id));
    entries.add(codes.codes + i * lists.code_size, lists.code_size, id);
  }
  index.append(number, entries.codes, entries.ids);
}

std::unique_ptr<ListIndex> make_list_index(const Codebook& codebook,
                                           const std::vector<std::int64_t>& sizes,
                                           const LocalIndexOptions& options) {
  if (options.launcher && scans_on_gpu(codebook.spec, options.backend)) {
    if (options.backend == Backend::faiss) {
      return make_faiss_list_index_cuda(codebook, sizes, options.launcher);
    }
    return std::make_unique<IvfPqScanTorch>(
        codebook, sizes, options.launcher,
        ScanOptionsTorch{.inner_product = is_inner_product(codebook.spec.metric)});
  }
  if (codebook.spec.storage == Storage::pq && options.backend == Backend::knnseq) {
    ScanOptions scan{.inner_product = is_inner_product(codebook.spec.metric)};
    scan.memory = shared_memory(options, ScanLists::memory_bytes(codebook.spec.m, sizes));
    return std::make_unique<IvfPqScan>(codebook, sizes, std::move(scan));
  }
  return make_faiss_list_index(codebook, sizes);
}

std::unique_ptr<LocalIndex> load_lists(const Codebook& codebook, std::vector<FaissFile>& files,
                                       const LocalIndexOptions& options) {
  const Stride stride(options);
  const auto nlist = static_cast<std::size_t>(codebook.spec.nlist);
  std::vector<std::int64_t> sizes(nlist, 0);
  for (const FaissFile& file : files) {
    for (std::size_t list = 0; list < nlist; ++list) {
      sizes[list] += static_cast<std::int64_t>(stride.count(file.lists->invlists->list_size(list)));
    }
  }
  auto index = make_list_index(codebook, sizes, options);
  const core::Range mine = own_lists(options, codebook.spec.nlist);
  for (auto list = mine.begin; list < mine.end; ++list) {
    for (const FaissFile& file : files) append_part(*index, *file.lists->invlists, list, stride);
  }
  files.clear();
  if (options.sharers != nullptr) options.sharers->barrier();
  index->finish();
  return index;
}

/// Hands over one shard without lists, or makes a smaller index of a part of it.
WholePart take_part(const Codebook& codebook, FaissFile& file, const Stride& stride) {
  if (stride.parts == 1) {
    return {release_core(file), {file.ids.begin(), file.ids.end()}};
  }
  Entries entries;
  if (const auto* coded = dynamic_cast<const faiss::IndexFlatCodes*>(file.core)) {
    for (std::size_t i = stride.part; i < file.ids.size(); i += stride.parts) {
      entries.add(coded->codes.data() + i * coded->code_size, coded->code_size, file.ids[i]);
    }
  } else if (stride.part == 0) {
    return {release_core(file), {file.ids.begin(), file.ids.end()}};
  }
  return {make_filled_index(codebook, entries.codes), entries.ids};
}

}  // namespace

bool scans_on_gpu(const IndexSpec& spec, Backend backend) {
  return spec.has_lists() && spec.storage == Storage::pq &&
         (backend == Backend::knnseq || has_faiss_cuda());
}

bool lies_in_shared_memory(const IndexSpec& spec, Backend backend) {
  const bool lists = spec.has_lists() && spec.storage == Storage::pq;
  return (lists && backend == Backend::knnseq) || is_row_index(spec, backend);
}

std::unique_ptr<LocalIndex> load_local_index(const Codebook& codebook,
                                             const std::vector<std::filesystem::path>& shard_files,
                                             const LocalIndexOptions& options) {
  KNNSEQ_ASSERT(options.sharers == nullptr ||
                    (lies_in_shared_memory(codebook.spec, options.backend) && !options.launcher),
                "an index that cannot be shared");
  if (is_row_index(codebook.spec, options.backend)) {
    return load_row_index(codebook, shard_files, options);
  }
  std::vector<FaissFile> files;
  const auto open = [&] { files = open_shards(codebook, shard_files, options.ids); };
  options.sharers != nullptr ? comm::agree(*options.sharers, open) : open();
  if (codebook.spec.has_lists()) return load_lists(codebook, files, options);
  std::vector<WholePart> parts;
  for (FaissFile& file : files) parts.push_back(take_part(codebook, file, Stride(options)));
  return make_whole_index(codebook, std::move(parts), options);
}

std::unique_ptr<LocalIndex> make_local_index(const Codebook& codebook, const CodedEntries& entries,
                                             const LocalIndexOptions& options) {
  KNNSEQ_ASSERT(options.parts == 1 && options.sharers == nullptr,
                "entries in memory are not divided");
  const ListOrder order = order_by_list(entries, codebook.spec.nlist);
  const auto codes = span_of<std::uint8_t>(entries.codes);
  const auto ids = span_of<std::int64_t>(entries.ids);
  const auto code_bytes = static_cast<std::size_t>(codebook.spec.code_bytes());
  std::unique_ptr<ListIndex> lists;
  if (codebook.spec.has_lists()) {
    lists = make_list_index(codebook, {order.sizes.begin(), order.sizes.end()}, options);
  }
  Entries sorted;
  auto next = order.positions.begin();
  for (std::size_t list = 0; list < order.sizes.size(); ++list) {
    for (std::uint64_t i = 0; i < order.sizes[list]; ++i, ++next) {
      const auto entry = static_cast<std::size_t>(*next);
      sorted.add(codes.data() + entry * code_bytes, code_bytes, ids[entry]);
    }
    if (!lists) continue;
    lists->append(static_cast<std::int64_t>(list), sorted.codes, sorted.ids);
    sorted = {};
  }
  if (lists) {
    lists->finish();
    return lists;
  }
  if (is_row_index(codebook.spec, options.backend)) {
    return make_row_index(codebook, sorted.codes, sorted.ids);
  }
  std::vector<WholePart> parts;
  parts.push_back({make_filled_index(codebook, sorted.codes), std::move(sorted.ids)});
  return make_whole_index(codebook, std::move(parts), options);
}

}  // namespace knnseq::index
