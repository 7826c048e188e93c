#include "index/faiss_io/foreign_index.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/invlists/InvertedLists.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "index/faiss_io/faiss_file.hpp"
#include "index/faiss_io/list_entries.hpp"

namespace knnseq::index {

struct ForeignIndex::Part {
  ForeignIndexFile at;
  FaissFile file;

  /// Calls visit(list, codes, row) for all entries; list −1 without lists.
  void for_each(const std::function<void(std::int32_t, const std::uint8_t*, std::int64_t)>& visit,
                std::int64_t code_bytes) const {
    if (file.lists == nullptr) {
      const ShardEntries all = all_rows(file, code_bytes);
      for (std::size_t i = 0; i < all.ids.size(); ++i) {
        visit(-1, all.codes.data() + i * code_bytes, all.ids[i] + at.rows.begin);
      }
      return;
    }
    const faiss::InvertedLists& lists = *file.lists->invlists;
    for (std::size_t list = 0; list < lists.nlist; ++list) {
      const std::size_t size = lists.list_size(list);
      if (size == 0) continue;
      const faiss::InvertedLists::ScopedCodes codes(&lists, list);
      const faiss::InvertedLists::ScopedIds ids(&lists, list);
      for (std::size_t i = 0; i < size; ++i) {
        std::int64_t id = 0;  // mapped ones need not be aligned
        std::memcpy(&id, reinterpret_cast<const char*>(ids.ids) + i * sizeof(id), sizeof(id));
        visit(static_cast<std::int32_t>(list), codes.codes + i * lists.code_size,
              id + at.rows.begin);
      }
    }
  }
};

namespace {

/// Numbers the entries of an index without lists and ids as they were added.
void number_entries(FaissFile& file) {
  if (file.lists != nullptr || !file.ids.empty()) return;
  file.ids.resize(static_cast<std::size_t>(file.core->ntotal));
  std::iota(file.ids.begin(), file.ids.end(), FaissId{0});
}

void require_metric(const std::filesystem::path& path, Metric found, Metric wanted) {
  if (found == wanted || (found == Metric::ip && wanted == Metric::cos)) return;
  throw core::InputError(path, fmt::format("measures by {}, index.metric is {}",
                                           core::name_of(found), core::name_of(wanted)));
}

/// Entries while they are collected.
struct Collected {
  std::vector<std::int32_t> lists;
  std::vector<std::uint8_t> codes;
  std::vector<std::int64_t> rows;

  void add(std::int32_t list, const std::uint8_t* code, std::int64_t bytes, std::int64_t row) {
    if (list >= 0) lists.push_back(list);
    codes.insert(codes.end(), code, code + bytes);
    rows.push_back(row);
  }

  CodedEntries entries(const IndexSpec& spec) const {
    const auto n = std::ssize(rows);
    CodedEntries made{spec.has_lists() ? at::empty({n}, at::kInt) : at::Tensor(),
                      at::empty({n, spec.code_bytes()}, at::kByte), at::empty({n}, at::kLong)};
    const auto copy = [](const at::Tensor& to, const auto& from) {
      if (!from.empty()) std::memcpy(to.mutable_data_ptr(), from.data(), to.nbytes());
    };
    if (spec.has_lists()) copy(made.lists, lists);
    copy(made.codes, codes);
    copy(made.ids, rows);
    return made;
  }
};

}  // namespace

ForeignIndex::ForeignIndex(const std::vector<ForeignIndexFile>& files, Metric metric) {
  for (const auto& at : files) {
    Part part{at, read_faiss_file(at.path)};
    number_entries(part.file);
    Codebook codebook = std::move(part.file.codebook);
    part.file.codebook = {};
    if (codebook.spec.storage == Storage::hnsw) {
      throw core::InputError(at.path,
                             "is a graph over all entries, which cannot be divided into shards; "
                             "import the keys alone, and let train and add make an index");
    }
    require_metric(at.path, codebook.spec.metric, metric);
    codebook.spec.metric = metric;
    if (part.file.core->ntotal != at.rows.size()) {
      throw core::InputError(at.path, fmt::format("holds {} entries, there are {} keys",
                                                  part.file.core->ntotal, at.rows.size()));
    }
    if (part.file.lists != nullptr) {
      if (auto* graph = dynamic_cast<faiss::IndexHNSWFlat*>(part.file.lists->quantizer)) {
        part.file.lists->own_fields = false;  // the graph outlives the index it was read with
        codebook.coarse_graph.reset(graph);
      }
    }
    if (parts_.empty()) {
      codebook_ = std::move(codebook);
    } else if (codebook.spec != codebook_.spec || checksum(codebook) != checksum(codebook_)) {
      throw core::InputError(at.path,
                             "was trained by itself: indexes of different codebooks cannot become "
                             "one; import the keys alone, and let train and add make an index");
    }
    parts_.push_back(std::move(part));
  }
}

ForeignIndex::~ForeignIndex() = default;
ForeignIndex::ForeignIndex(ForeignIndex&&) noexcept = default;

void ForeignIndex::require_complete() const {
  for (const Part& part : parts_) {
    const auto& rows = part.at.rows;
    std::vector<bool> seen(static_cast<std::size_t>(rows.size()), false);
    part.for_each(
        [&](std::int32_t, const std::uint8_t*, std::int64_t row) {
          const bool known = row >= rows.begin && row < rows.end;
          if (known && !seen[row - rows.begin]) {
            seen[row - rows.begin] = true;
            return;
          }
          throw core::InputError(
              part.at.path,
              known ? fmt::format("holds the entry {} twice", row - rows.begin)
                    : fmt::format("holds an entry with the number {}; the keys are 0 to {}",
                                  row - rows.begin, rows.size() - 1));
        },
        codebook_.spec.code_bytes());
  }
}

CodedEntries ForeignIndex::entries_in(core::Range rows) const {
  const auto bytes = codebook_.spec.code_bytes();
  Collected found;
  found.rows.reserve(static_cast<std::size_t>(rows.size()));
  found.codes.reserve(static_cast<std::size_t>(rows.size() * bytes));
  for (const Part& part : parts_) {
    if (part.at.rows.end <= rows.begin || part.at.rows.begin >= rows.end) continue;
    part.for_each(
        [&](std::int32_t list, const std::uint8_t* code, std::int64_t row) {
          if (row >= rows.begin && row < rows.end) found.add(list, code, bytes, row);
        },
        bytes);
  }
  return found.entries(codebook_.spec);
}

CodedEntries ForeignIndex::entries_of(std::span<const std::int64_t> rows) const {
  const auto bytes = codebook_.spec.code_bytes();
  Collected found;
  for (const Part& part : parts_) {
    part.for_each(
        [&](std::int32_t list, const std::uint8_t* code, std::int64_t row) {
          if (std::binary_search(rows.begin(), rows.end(), row)) found.add(list, code, bytes, row);
        },
        bytes);
  }
  return found.entries(codebook_.spec);
}

}  // namespace knnseq::index
