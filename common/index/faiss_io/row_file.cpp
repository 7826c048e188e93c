#include "index/faiss_io/row_file.hpp"

#include <fstream>
#include <utility>

#include "core/error.hpp"
#include "index/faiss_io/shard_check.hpp"

namespace knnseq::index {

RowFile::RowFile(const std::filesystem::path& path, const Codebook& codebook, const IdBounds& ids)
    : path_(path), spec_(codebook.spec), bounds_(ids) {
  if (!std::filesystem::is_regular_file(path)) throw core::InputError(path, "no such file");
  rows_ = verify_faiss_layout(path);
  const bool has_rows = rows_.code_bytes > 0;
  const FaissFile file = has_rows ? read_without_rows(path, rows_) : read_faiss_file(path);
  require_same_codebook(path, codebook, file.codebook);
  KNNSEQ_ASSERT(std::cmp_equal(rows_.code_bytes, spec_.code_bytes()), "codes of another index");
  if (rows_.ids == 0) throw core::InputError(path, "has no ids");
}

ShardEntries RowFile::read(core::Range positions) const {
  KNNSEQ_ASSERT(positions.begin >= 0 && positions.end <= entries(), "no such entries in a shard");
  const auto first = static_cast<std::uint64_t>(positions.begin);
  const auto count = static_cast<std::size_t>(positions.size());
  ShardEntries found;
  found.ids.resize(count);
  found.codes.resize(count * rows_.code_bytes);
  std::ifstream in(path_, std::ios::binary);
  const auto read = [&](std::uint64_t from, void* into, std::uint64_t bytes) {
    in.seekg(static_cast<std::streamoff>(from));
    in.read(static_cast<char*>(into), static_cast<std::streamsize>(bytes));
    if (!in) throw core::InputError(path_, "cannot be read");
  };
  read(rows_.ids + first * sizeof(FaissId), found.ids.data(), count * sizeof(FaissId));
  read(rows_.codes + first * rows_.code_bytes, found.codes.data(), found.codes.size());
  const EntryCheck check(path_, spec_, bounds_);
  check.ids(found.ids.data(), count);
  check.codes(found.codes.data(), found.codes.size());
  return found;
}

}  // namespace knnseq::index
