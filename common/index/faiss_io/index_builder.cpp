#include "index/faiss_io/index_builder.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/faiss_io/list_file.hpp"
#include "index/faiss_io/output_file.hpp"

namespace knnseq::index {

namespace {

/// Codes and ids of each list.
void write_ordered_lists(OutputFile& file, const ListOrder& order,
                         std::span<const std::uint8_t> codes, std::span<const std::int64_t> ids) {
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

void write_with_lists(OutputFile& file, const Codebook& codebook, const CodedEntries& entries,
                      const ListOrder& order) {
  begin_list_file(file, codebook, order.sizes);
  write_ordered_lists(file, order, span_of<std::uint8_t>(entries.codes),
                      span_of<std::int64_t>(entries.ids));
}

void write_without_lists(OutputFile& file, const Codebook& codebook, const CodedEntries& entries,
                         const ListOrder& order) {
  const at::Tensor positions = at::tensor(order.positions, at::kLong);
  const at::Tensor codes = at::index_select(entries.codes, 0, positions);
  const at::Tensor ids = at::index_select(entries.ids, 0, positions);
  const auto whole =
      with_transform(codebook, with_ids(make_filled_index(codebook, span_of<std::uint8_t>(codes)),
                                        span_of<std::int64_t>(ids)));
  faiss::write_index(whole.get(), file.handle());
}

}  // namespace

void write_local_index(const std::filesystem::path& path, const Codebook& codebook,
                       const CodedEntries& entries) {
  const std::int64_t n = entries.ids.numel();
  KNNSEQ_ASSERT(entries.codes.numel() == n * codebook.spec.code_bytes() &&
                    (!codebook.spec.has_lists() || entries.lists.numel() == n),
                "lists, codes and ids of different numbers of entries");
  const CodedEntries dense{entries.lists.defined() ? entries.lists.contiguous() : entries.lists,
                           entries.codes.contiguous(), entries.ids.contiguous()};
  const ListOrder order = order_by_list(dense, codebook.spec.nlist);
  core::publish_file(path, [&](const std::filesystem::path& temporary) {
    OutputFile file(temporary);
    try {
      const auto write = codebook.spec.has_lists() ? write_with_lists : write_without_lists;
      write(file, codebook, dense, order);
    } catch (const std::exception& e) {
      throw core::SystemError(temporary.string() + ": cannot be written: " + e.what());
    }
    file.close();
  });
}

}  // namespace knnseq::index
