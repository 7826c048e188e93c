#include "index/faiss_io/list_file.hpp"

#include <numeric>

#include <faiss/IndexIVF.h>
#include <faiss/index_io.h>

#include "index/faiss_io/faiss_codebook.hpp"

namespace knnseq::index {

/// faiss writes an index without lists so that the file ends in "il00"; faiss's ArrayInvertedLists
/// are put in its place.
void begin_list_file(OutputFile& file, const Codebook& codebook,
                     std::span<const std::uint64_t> sizes) {
  auto lists = make_faiss_lists(codebook);
  const auto code_size = lists->code_size;
  lists->replace_invlists(nullptr, false);
  lists->ntotal =
      static_cast<FaissId>(std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}));
  faiss::write_index(with_transform(codebook, std::move(lists)).get(), file.handle());
  file.take_back("il00");
  file.write("ilar");
  file.write(static_cast<std::uint64_t>(codebook.spec.nlist));
  file.write(static_cast<std::uint64_t>(code_size));
  file.write("full");
  file.write(static_cast<std::uint64_t>(sizes.size()));
  file.write(sizes);
}

}  // namespace knnseq::index
