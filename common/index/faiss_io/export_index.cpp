#include "index/faiss_io/export_index.hpp"

#include <algorithm>
#include <cstring>

#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/impl/pq4_fast_scan.h>
#include <faiss/index_io.h>
#include <faiss/invlists/InvertedLists.h>
#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/faiss_io/list_file.hpp"
#include "index/faiss_io/open_shards.hpp"

namespace knnseq::index {

namespace {

/// Entries as their shards have them.
struct ShardEntries {
  std::vector<std::int64_t> ids;  ///< packed
  std::vector<std::uint8_t> codes;
};

/// Positions of the ids in the order of entry numbers.
std::vector<std::size_t> entry_order(const std::vector<std::int64_t>& ids) {
  std::vector<std::size_t> order(ids.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return core::entry_number_of(ids[a]) < core::entry_number_of(ids[b]);
  });
  return order;
}

/// One list of all shards, in the order of entry numbers. Mapped ids need not be aligned.
ShardEntries gather_list(const std::vector<FaissFile>& files, std::size_t list) {
  ShardEntries found;
  for (const FaissFile& file : files) {
    const faiss::InvertedLists& lists = *file.lists->invlists;
    const std::size_t size = lists.list_size(list);
    if (size == 0) continue;
    const faiss::InvertedLists::ScopedCodes codes(&lists, list);
    const faiss::InvertedLists::ScopedIds ids(&lists, list);
    const auto before = found.ids.size();
    found.ids.resize(before + size);
    std::memcpy(found.ids.data() + before, static_cast<const void*>(ids.ids),
                size * sizeof(std::int64_t));
    found.codes.insert(found.codes.end(), codes.codes, codes.codes + size * lists.code_size);
  }
  ShardEntries sorted;
  const std::size_t code_bytes = found.ids.empty() ? 0 : found.codes.size() / found.ids.size();
  for (const auto i : entry_order(found.ids)) {
    const auto code = found.codes.begin() + static_cast<std::ptrdiff_t>(i * code_bytes);
    sorted.ids.push_back(found.ids[i]);
    sorted.codes.insert(sorted.codes.end(), code, code + static_cast<std::ptrdiff_t>(code_bytes));
  }
  return sorted;
}

void write_lists(OutputFile& out, const Codebook& codebook, const std::vector<FaissFile>& files,
                 const EntryVisitor& visit) {
  std::vector<std::uint64_t> sizes(codebook.spec.nlist, 0);
  for (const FaissFile& file : files) {
    for (std::size_t list = 0; list < sizes.size(); ++list) {
      sizes[list] += file.lists->invlists->list_size(list);
    }
  }
  begin_list_file(out, codebook, sizes);
  for (std::size_t list = 0; list < sizes.size(); ++list) {
    const ShardEntries entries = gather_list(files, list);
    visit(entries.ids);
    std::vector<std::int64_t> numbers(entries.ids.size());
    std::transform(entries.ids.begin(), entries.ids.end(), numbers.begin(), core::entry_number_of);
    out.write(std::span<const std::uint8_t>(entries.codes));
    out.write(std::span<const std::int64_t>(numbers));
  }
}

/// Puts the code of a shard's row i into `code`.
void copy_code(const faiss::Index& shard, std::size_t i, std::span<std::uint8_t> code) {
  if (const auto* fast = dynamic_cast<const faiss::IndexPQFastScan*>(&shard)) {
    std::fill(code.begin(), code.end(), std::uint8_t{0});
    for (std::size_t s = 0; s < fast->M; ++s) {
      const unsigned element =
          faiss::pq4_get_packed_element(fast->codes.get(), fast->bbs, fast->M2, i, s);
      code[s / 2] |= static_cast<std::uint8_t>(element << (s % 2 * 4));
    }
    return;
  }
  const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&shard);
  const auto& coded =
      dynamic_cast<const faiss::IndexFlatCodes&>(graph != nullptr ? *graph->storage : shard);
  std::copy_n(coded.codes.data() + i * code.size(), code.size(), code.begin());
}

/// Returns count_crowded().
std::int64_t write_rows(OutputFile& out, const Codebook& codebook, std::vector<FaissFile>& files,
                        const EntryVisitor& visit) {
  std::size_t n = 0;
  for (const FaissFile& file : files) n += file.ids.size();
  const auto code_bytes = static_cast<std::size_t>(codebook.spec.code_bytes());
  std::vector<std::uint8_t> codes(n * code_bytes);
  for (FaissFile& file : files) {
    visit(std::vector<std::int64_t>(file.ids.begin(), file.ids.end()));  // checks them, too
    for (std::size_t i = 0; i < file.ids.size(); ++i) {
      const auto row = static_cast<std::size_t>(core::entry_number_of(file.ids[i]));
      copy_code(*file.core, i, std::span(codes).subspan(row * code_bytes, code_bytes));
    }
    file = {};
  }
  const auto whole = with_transform(codebook, make_filled_index(codebook, codes));
  faiss::write_index(whole.get(), out.handle());
  return count_crowded(codebook.spec, codes);
}

/// Throws core::InputError unless the numbers of all entries are 0 … n − 1, each once.
class CompletenessCheck {
 public:
  CompletenessCheck(const std::vector<FaissFile>& files, std::int64_t n) : seen_(n, false) {
    std::int64_t found = 0;
    for (const FaissFile& file : files) found += file.core->ntotal;
    if (found != n) fail();
  }
  void see(std::span<const std::int64_t> ids) {
    for (const auto id : ids) {
      const auto number = static_cast<std::size_t>(core::entry_number_of(id));
      if (id < 0 || number >= seen_.size() || seen_[number]) {
        fail();
      }
      seen_[number] = true;
    }
  }

 private:
  void fail() const {
    throw core::InputError(fmt::format(
        "the shards do not hold the entries 0 to {} once each; run 'knnseq add --force'",
        std::ssize(seen_) - 1));
  }
  std::vector<bool> seen_;
};

}  // namespace

std::int64_t export_index(const std::filesystem::path& path, const Codebook& codebook,
                          const std::vector<std::filesystem::path>& shard_files,
                          const IdBounds& ids, const EntryVisitor& visit) {
  auto files = open_shards(codebook, shard_files, ids);
  CompletenessCheck check(files, ids.entries);
  std::int64_t crowded = 0;
  const EntryVisitor checked = [&](std::span<const std::int64_t> some) {
    check.see(some);
    visit(some);
  };
  core::publish_file(path, [&](const std::filesystem::path& temporary) {
    OutputFile out(temporary);
    try {
      if (codebook.spec.has_lists()) {
        write_lists(out, codebook, files, checked);
      } else {
        crowded = write_rows(out, codebook, files, checked);
      }
    } catch (const core::Error&) {
      throw;
    } catch (const std::exception& e) {  // from faiss
      throw core::SystemError(temporary.string() + ": cannot be written: " + e.what());
    }
    out.close();
  });
  return crowded;
}

}  // namespace knnseq::index
