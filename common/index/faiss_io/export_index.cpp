#include "index/faiss_io/export_index.hpp"

#include <algorithm>

#include <faiss/IndexIVF.h>
#include <faiss/index_io.h>
#include <faiss/invlists/InvertedLists.h>
#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/faiss_io/list_entries.hpp"
#include "index/faiss_io/list_file.hpp"
#include "index/faiss_io/open_shards.hpp"

namespace knnseq::index {

namespace {

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

/// `complete`: the entries' numbers are 0 … n − 1. Returns count_crowded().
std::int64_t write_rows(OutputFile& out, const Codebook& codebook, std::vector<FaissFile>& files,
                        bool complete, const EntryVisitor& visit) {
  ShardEntries all;
  for (FaissFile& file : files) {
    const ShardEntries entries = all_rows(file, codebook.spec.code_bytes());
    file = {};
    visit(entries.ids);  // checks them, too
    all.ids.insert(all.ids.end(), entries.ids.begin(), entries.ids.end());
    all.codes.insert(all.codes.end(), entries.codes.begin(), entries.codes.end());
  }
  ShardEntries sorted = by_entry_number(all);
  all = {};
  std::transform(sorted.ids.begin(), sorted.ids.end(), sorted.ids.begin(), core::entry_number_of);
  auto core = make_filled_index(codebook, sorted.codes);
  if (!complete) core = with_ids(std::move(core), sorted.ids);
  faiss::write_index(with_transform(codebook, std::move(core)).get(), out.handle());
  return count_crowded(codebook.spec, sorted.codes);
}

/// Throws core::InputError unless there are `entries` entries, with different numbers below n.
class CompletenessCheck {
 public:
  CompletenessCheck(const std::vector<FaissFile>& files, std::int64_t n, std::int64_t entries)
      : seen_(n, false), entries_(entries) {
    std::int64_t found = 0;
    for (const FaissFile& file : files) found += file.core->ntotal;
    if (found != entries) fail();
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
    const bool complete = entries_ == std::ssize(seen_);
    throw core::InputError(
        fmt::format("the shards do not hold {} 0 to {} once each; run 'knnseq {} --force'",
                    complete ? "the entries" : fmt::format("{} of the entries", entries_),
                    std::ssize(seen_) - 1, complete ? "add" : "prune"));
  }
  std::vector<bool> seen_;
  std::int64_t entries_;
};

}  // namespace

std::int64_t export_index(const std::filesystem::path& path, const Codebook& codebook,
                          const std::vector<std::filesystem::path>& shard_files,
                          const IdBounds& ids, std::int64_t entries, const EntryVisitor& visit) {
  auto files = open_shards(codebook, shard_files, ids);
  CompletenessCheck check(files, ids.entries, entries);
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
        crowded = write_rows(out, codebook, files, entries == ids.entries, checked);
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
