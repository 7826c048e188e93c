#include "index/index_builder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <faiss/IndexIVFPQ.h>
#include <faiss/index_io.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "index/faiss_codebook.hpp"

namespace knnseq::index {

namespace {

/// A file that faiss and we write to in turn.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path)
      : path_(path), file_(std::fopen(path.c_str(), "w+b")) {
    if (!file_) throw core::SystemError("open", path.string(), errno);
  }

  std::FILE* handle() { return file_.get(); }

  template <class T>
  void write(std::span<const T> values) {
    if (values.empty()) return;
    check(std::fwrite(values.data(), sizeof(T), values.size(), handle()) == values.size(), "write");
  }
  void write(std::string_view text) { write(std::span<const char>(text)); }
  void write(std::uint64_t value) { write(std::span<const std::uint64_t>(&value, 1)); }

  /// Goes back over `text`, which must be what was written last.
  void take_back(std::string_view text) {
    std::string found(text.size(), '\0');
    const auto back = -static_cast<long>(text.size());
    check(std::fseek(handle(), back, SEEK_CUR) == 0, "seek");
    check(std::fread(found.data(), 1, found.size(), handle()) == found.size(), "read back");
    KNNSEQ_ASSERT(found == text, "faiss did not end the file as expected");
    check(std::fseek(handle(), back, SEEK_CUR) == 0, "seek");
  }

  void close() { check(std::fclose(file_.release()) == 0, "close"); }

 private:
  void check(bool holds, const char* call) const {
    if (!holds) throw core::SystemError(call, path_.string(), errno);
  }
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

/// Positions of all entries by list and, in a list, by entry number.
struct ListOrder {
  std::vector<std::uint64_t> sizes;     ///< [nlist]
  std::vector<std::int64_t> positions;  ///< [n]
};

ListOrder order_by_list(std::span<const std::int32_t> lists, std::span<const std::int64_t> ids,
                        std::int64_t nlist) {
  ListOrder order{std::vector<std::uint64_t>(static_cast<std::size_t>(nlist), 0),
                  std::vector<std::int64_t>(lists.size())};
  for (const std::int32_t list : lists) {
    KNNSEQ_ASSERT(list >= 0 && list < nlist, "no such list");
    ++order.sizes[static_cast<std::size_t>(list)];
  }
  std::vector<std::int64_t> ends(order.sizes.size(), 0);
  for (std::size_t list = 1; list < ends.size(); ++list) {
    ends[list] = ends[list - 1] + static_cast<std::int64_t>(order.sizes[list - 1]);
  }
  for (std::size_t i = 0; i < lists.size(); ++i) {
    auto& end = ends[static_cast<std::size_t>(lists[i])];
    order.positions[static_cast<std::size_t>(end++)] = static_cast<std::int64_t>(i);
  }
  const auto by_entry = [&](std::int64_t a, std::int64_t b) {
    return core::entry_number_of(ids[static_cast<std::size_t>(a)]) <
           core::entry_number_of(ids[static_cast<std::size_t>(b)]);
  };
  auto begin = order.positions.begin();
  for (const std::uint64_t size : order.sizes) {
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    if (!std::is_sorted(begin, end, by_entry)) std::sort(begin, end, by_entry);
    begin = end;
  }
  return order;
}

/// faiss's ArrayInvertedLists: sizes of all lists, then codes and ids of each.
void write_lists(OutputFile& file, const ListOrder& order, std::span<const std::uint8_t> codes,
                 std::span<const std::int64_t> ids) {
  const std::size_t m = ids.empty() ? 0 : codes.size() / ids.size();
  std::vector<std::uint8_t> list_codes;
  std::vector<std::int64_t> list_ids;
  auto next = order.positions.begin();
  for (const std::uint64_t size : order.sizes) {
    list_codes.clear();
    list_ids.clear();
    for (std::uint64_t i = 0; i < size; ++i, ++next) {
      const auto entry = static_cast<std::size_t>(*next);
      const auto code = codes.subspan(entry * m, m);
      list_codes.insert(list_codes.end(), code.begin(), code.end());
      list_ids.push_back(ids[entry]);
    }
    file.write(std::span<const std::uint8_t>(list_codes));
    file.write(std::span<const std::int64_t>(list_ids));
  }
}

template <class T>
std::span<const T> span_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

void write_local_index(const std::filesystem::path& path, const Codebook& codebook,
                       const CodedEntries& entries) {
  const at::Tensor lists = entries.lists.contiguous();
  const at::Tensor codes = entries.codes.contiguous();
  const at::Tensor ids = entries.ids.contiguous();
  const std::int64_t n = ids.numel();
  KNNSEQ_ASSERT(lists.numel() == n && codes.numel() == n * codebook.spec.m,
                "lists, codes and ids of different numbers of entries");
  const ListOrder order =
      order_by_list(span_of<std::int32_t>(lists), span_of<std::int64_t>(ids), codebook.spec.nlist);

  // faiss writes an index without lists, which ends in "il00"; the lists are written in its place,
  // entry by entry, so that no second copy of them is needed in memory.
  auto ivfpq = make_faiss_ivfpq(codebook);
  ivfpq->replace_invlists(nullptr, false);
  ivfpq->ntotal = n;
  const auto index = with_transform(codebook, std::move(ivfpq));
  core::publish_file(path, [&](const std::filesystem::path& temporary) {
    OutputFile file(temporary);
    try {
      faiss::write_index(index.get(), file.handle());
    } catch (const std::exception& e) {
      throw core::SystemError(temporary.string() + ": cannot be written: " + e.what());
    }
    file.take_back("il00");
    file.write("ilar");
    file.write(static_cast<std::uint64_t>(codebook.spec.nlist));
    file.write(static_cast<std::uint64_t>(codebook.spec.m));
    file.write("full");
    file.write(static_cast<std::uint64_t>(order.sizes.size()));
    file.write(std::span<const std::uint64_t>(order.sizes));
    write_lists(file, order, span_of<std::uint8_t>(codes), span_of<std::int64_t>(ids));
    file.close();
  });
}

}  // namespace knnseq::index
