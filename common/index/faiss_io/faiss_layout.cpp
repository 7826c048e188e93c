#include "index/faiss_io/faiss_layout.hpp"

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::index {

namespace {

/// Whether a · b is `product`, for a and b that may be anything.
bool is_product(std::uint64_t product, std::uint64_t a, std::uint64_t b) {
  if (a == 0 || b == 0) return product == 0;
  return product % a == 0 && product / a == b;
}

/// What every index begins with.
struct Header {
  std::uint64_t d = 0;
  std::uint64_t ntotal = 0;
};

class Walk {
 public:
  explicit Walk(const std::filesystem::path& path)
      : path_(path), in_(path, std::ios::binary), bytes_(std::filesystem::file_size(path)) {
    left_ = bytes_;
  }

  FaissRows file() {
    std::string kind = name();
    if (kind == "IxPT") {
      header();
      transforms();
      kind = name();
    }
    const bool numbered = kind == "IxMp" || kind == "IxM2";
    if (numbered) {
      const Header outer = header();
      const Header inner = index(name());
      require(outer.ntotal == inner.ntotal, "its numbers of entries differ");
      require(vector<std::int64_t>(&rows_.ids) == inner.ntotal,
              "its numbers of ids and entries differ");
    } else {
      index(kind);
    }
    require(left_ == 0, "it continues after its end");
    return rows_;
  }

 private:
  void require(bool holds, const std::string& message) const {
    if (holds) return;
    throw core::InputError(
        path_, fmt::format("cannot be read as a faiss index: {} (before byte {})", message,
                           bytes_ - left_));
  }

  void read(void* into, std::uint64_t size) {
    require(size <= left_, "it is truncated");
    if (!in_.read(static_cast<char*>(into), static_cast<std::streamsize>(size))) {
      throw core::InputError(path_, "cannot be read");
    }
    left_ -= size;
  }
  template <class T>
  T number() {
    T value{};
    read(&value, sizeof(value));
    return value;
  }
  bool flag() {
    const auto byte = number<std::uint8_t>();
    require(byte <= 1, "a flag is neither 0 nor 1");
    return byte == 1;
  }
  /// The four letters that say what follows.
  std::string name() {
    std::string letters(4, '\0');
    read(letters.data(), letters.size());
    return letters;
  }
  void skip(std::uint64_t size) {
    require(size <= left_, "it is truncated");
    in_.seekg(static_cast<std::streamoff>(size), std::ios::cur);
    left_ -= size;
  }
  /// The length of an array.
  template <class T>
  std::uint64_t length() {
    const auto size = number<std::uint64_t>();
    require(size <= left_ / sizeof(T), "an array is longer than the file");
    return size;
  }
  /// Passes over an array of T; returns its length.
  template <class T>
  std::uint64_t vector(std::uint64_t* first = nullptr) {
    const auto size = length<T>();
    if (first != nullptr) *first = bytes_ - left_;
    skip(size * sizeof(T));
    return size;
  }

  Header header() {
    Header found;
    const auto d = number<std::int32_t>();
    rows_.counts.push_back(bytes_ - left_);
    const auto ntotal = number<std::int64_t>();
    require(d > 0, "its width is not positive");
    require(ntotal >= 0 && static_cast<std::uint64_t>(ntotal) <= bytes_,
            fmt::format("it cannot hold {} entries", ntotal));
    number<std::int64_t>();  // no longer used by faiss
    number<std::int64_t>();
    require(flag(), "it is not trained");
    const auto metric = number<std::int32_t>();
    require(metric == 0 || metric == 1, "its metric is neither L2 nor inner product");
    return {static_cast<std::uint64_t>(d), static_cast<std::uint64_t>(ntotal)};
  }

  void transforms() {
    const auto count = number<std::int32_t>();
    require(count >= 0 && count <= 3, fmt::format("it has {} transforms", count));
    for (std::int32_t i = 0; i < count; ++i) transform(name());
  }

  void transform(const std::string& kind) {
    std::uint64_t matrix = 0;
    std::uint64_t bias = 0;
    bool has_bias = false;
    const bool linear = kind != "VNrm";
    if (kind == "Pcam") {
      number<float>();  // power of the eigenvalues
      number<float>();  // and what is added to them
      flag();
      number<std::int32_t>();
      for (int i = 0; i < 3; ++i) vector<float>();
    } else if (kind == "VNrm") {
      number<float>();
    } else {
      require(kind == "LTra" || kind == "rrot", "its transform is not OPQ, PCA or L2norm");
    }
    if (linear) {
      has_bias = flag();
      matrix = vector<float>();
      bias = vector<float>();
    }
    const auto d_in = number<std::int32_t>();
    const auto d_out = number<std::int32_t>();
    require(d_in > 0 && d_out > 0, "the widths of a transform are not positive");
    require(flag(), "a transform is not trained");
    if (!linear) return;
    require(is_product(matrix, static_cast<std::uint64_t>(d_in), static_cast<std::uint64_t>(d_out)),
            "a transform's matrix does not have its widths");
    require(!has_bias || bias == static_cast<std::uint64_t>(d_out),
            "a transform's bias does not have its width");
  }

  /// Entries of any supported kind.
  Header index(const std::string& kind) {
    if (kind == "IwFl" || kind == "IwPQ") return lists(kind == "IwPQ");
    if (kind == "IxPq") return codes();
    if (kind == "IPfs") return packed_codes();
    const Header found = vectors(kind);
    if (kind != "IHNf") set_rows(found, found.d * sizeof(float));
    return found;
  }

  void set_rows(const Header& of, std::uint64_t code_bytes) {
    rows_.entries = of.ntotal;
    rows_.code_bytes = code_bytes;
  }

  /// fp32 vectors, with or without a graph.
  Header vectors(const std::string& kind) {
    if (kind != "IHNf") return flat(kind);
    const Header found = header();
    vector<double>();        // chances of levels
    vector<std::int32_t>();  // links up to a level
    require(vector<std::int32_t>() == found.ntotal, "its numbers of nodes and entries differ");
    require(vector<std::uint64_t>() == found.ntotal + 1, "its numbers of nodes and offsets differ");
    vector<std::int32_t>();                              // links
    for (int i = 0; i < 4; ++i) number<std::int32_t>();  // entry point, level, settings
    require(number<std::int32_t>() == 1, "its graph has several entry points");
    const Header storage = flat(name());
    require(storage.d == found.d && storage.ntotal == found.ntotal,
            "its graph is of other vectors than the index");
    return found;
  }

  Header flat(const std::string& kind) {
    require(kind == "IxF2" || kind == "IxFI",
            "it is of a type that is not supported: it is none of Flat, PQm, PQmx4fs, HNSWk, "
            "IVFn,Flat and IVFn,PQm");
    const Header found = header();
    require(is_product(vector<float>(&rows_.codes), found.d, found.ntotal),
            "its numbers of vectors and entries differ");
    return found;
  }

  /// A product quantiser; returns the bytes of a code.
  std::uint64_t quantizer(const Header& of) {
    const auto d = number<std::uint64_t>();
    const auto m = number<std::uint64_t>();
    const auto bits = number<std::uint64_t>();
    require(d == of.d && m > 0 && m <= d && d % m == 0 && bits > 0 && bits <= 8,
            "its product quantiser does not fit its width");
    require(is_product(vector<float>(), d, std::uint64_t{1} << bits),
            "its product quantiser does not have a centroid for each code");
    return (m * bits + 7) / 8;
  }

  Header codes() {
    const Header found = header();
    const auto code_bytes = quantizer(found);
    require(is_product(vector<std::uint8_t>(&rows_.codes), found.ntotal, code_bytes),
            "its numbers of codes and entries differ");
    require(number<std::int32_t>() == 0, "its codes are searched in another way than by PQ");
    flag();
    number<std::int32_t>();  // of polysemous codes
    set_rows(found, code_bytes);
    return found;
  }

  /// 4-bit codes in blocks of 32.
  Header packed_codes() {
    constexpr std::uint64_t block = 32;
    const Header found = header();
    const auto code_bytes = quantizer(found);
    number<std::int32_t>();  // the kernel
    require(number<std::int32_t>() == block && number<std::int32_t>() == 0,
            "its codes are packed in other blocks than of 32");
    const auto rows = number<std::uint64_t>();
    require(rows == (found.ntotal + block - 1) / block * block &&
                number<std::uint64_t>() == 2 * code_bytes &&
                is_product(vector<std::uint8_t>(), rows, code_bytes),
            "its numbers of packed codes and entries differ");
    return found;
  }

  Header lists(bool coded) {
    const Header found = header();
    const auto nlist = number<std::uint64_t>();
    number<std::uint64_t>();  // lists that faiss probes
    const Header coarse = vectors(name());
    require(coarse.d == found.d && coarse.ntotal == nlist,
            "its numbers of coarse centroids and lists differ");
    require(number<std::uint8_t>() == 0 && vector<std::int64_t>() == 0,
            "it has a map of its entries, which is not supported");
    std::uint64_t code_bytes = found.d * sizeof(float);
    if (coded) {
      require(flag(), "its codes are not of residuals");
      const auto stated = number<std::uint64_t>();
      code_bytes = quantizer(found);
      require(stated == code_bytes, "its codes are of another length than its quantiser's");
    }
    require(name() == "ilar", "its lists are not in the file itself");
    require(number<std::uint64_t>() == nlist && number<std::uint64_t>() == code_bytes,
            "its lists are of another kind than its codes");
    std::uint64_t entries = 0;
    for (const auto size : sizes(nlist)) {
      require(size <= found.ntotal - entries, "its lists have more entries than it says");
      entries += size;
    }
    require(entries == found.ntotal, "its lists have fewer entries than it says");
    const auto entry_bytes = code_bytes + sizeof(std::int64_t);
    require(entries <= left_ / entry_bytes, "it is truncated");
    skip(entries * entry_bytes);
    return found;
  }

  /// Sizes of the lists that are not empty.
  std::vector<std::uint64_t> sizes(std::uint64_t nlist) {
    const std::string kind = name();
    std::vector<std::uint64_t> numbers(length<std::uint64_t>());
    read(numbers.data(), numbers.size() * sizeof(std::uint64_t));
    if (kind == "full") {
      require(numbers.size() == nlist, "it does not have as many lists as it says");
      return numbers;
    }
    require(kind == "sprs" && numbers.size() % 2 == 0, "the sizes of its lists cannot be read");
    std::vector<std::uint64_t> found;
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < numbers.size(); i += 2) {
      require(numbers[i] >= next && numbers[i] < nlist, "its lists are not in order");
      next = numbers[i] + 1;
      found.push_back(numbers[i + 1]);
    }
    return found;
  }

  const std::filesystem::path& path_;
  std::ifstream in_;
  std::uint64_t bytes_;     ///< of the file
  std::uint64_t left_ = 0;  ///< bytes that were not looked at
  FaissRows rows_;
};

}  // namespace

FaissRows verify_faiss_layout(const std::filesystem::path& path) { return Walk(path).file(); }

}  // namespace knnseq::index
