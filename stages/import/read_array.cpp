#include "stages/import/read_array.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/input_file.hpp"

namespace knnseq::stages {

namespace {

/// Both faults are seen from a row's largest number without signs, as bits: they are ordered as the
/// numbers are, with infinity and what is no number from `infinity` on. (A pass of ATen's for each
/// took most of an import's time.)
template <class Bits>
std::optional<RowFault> first_fault(std::span<const std::byte> rows, std::int64_t columns,
                                    Bits infinity) {
  constexpr Bits without_sign = std::numeric_limits<Bits>::max() >> 1;
  const std::size_t row_bytes = columns * sizeof(Bits);
  for (std::size_t at = 0; at < rows.size(); at += row_bytes) {
    Bits largest = 0;
    for (std::size_t i = 0; i < row_bytes; i += sizeof(Bits)) {
      Bits bits{};
      std::memcpy(&bits, rows.data() + at + i, sizeof(Bits));
      largest = std::max<Bits>(largest, bits & without_sign);
    }
    if (largest > 0 && largest < infinity) continue;
    return RowFault{static_cast<std::int64_t>(at / row_bytes), largest == 0};
  }
  return std::nullopt;
}

template <class T>
std::vector<std::int64_t> numbers_of(std::span<const std::byte> bytes) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(bytes.size() / sizeof(T));
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    numbers.push_back(std::in_range<std::int64_t>(value) ? static_cast<std::int64_t>(value) : -1);
  }
  return numbers;
}

}  // namespace

void for_each_part(
    std::span<const ForeignArray> arrays, core::Range rows,
    const std::function<void(const ForeignArray&, core::Range, std::int64_t)>& visit) {
  std::int64_t first = 0;
  std::int64_t done = 0;
  for (const auto& array : arrays) {
    const core::Range own{std::max(rows.begin, first) - first,
                          std::min(rows.end, first + array.rows) - first};
    if (own.begin < own.end) {
      visit(array, own, done);
      done += own.size();
    }
    first += array.rows;
  }
}

void read_rows(const ForeignArray& array, core::Range rows, std::span<std::byte> bytes) {
  core::InputFile file(array.path);
  file.seek(array.first_byte + rows.begin * array.row_bytes());
  const std::span<char> chars(reinterpret_cast<char*>(bytes.data()), bytes.size());
  if (file.read(chars) != chars.size()) {
    throw core::InputError(array.path, "became shorter while it was read");
  }
}

std::vector<std::int64_t> read_numbers(const ForeignArray& array, core::Range rows) {
  std::vector<std::byte> bytes(rows.size() * array.row_bytes());
  read_rows(array, rows, bytes);
  if (array.type == "i1") return numbers_of<std::int8_t>(bytes);
  if (array.type == "i2") return numbers_of<std::int16_t>(bytes);
  if (array.type == "i4") return numbers_of<std::int32_t>(bytes);
  if (array.type == "i8") return numbers_of<std::int64_t>(bytes);
  if (array.type == "u1") return numbers_of<std::uint8_t>(bytes);
  if (array.type == "u2") return numbers_of<std::uint16_t>(bytes);
  if (array.type == "u4") return numbers_of<std::uint32_t>(bytes);
  return numbers_of<std::uint64_t>(bytes);
}

std::optional<RowFault> find_fault(const ForeignArray& array, std::span<const std::byte> rows) {
  return array.type == "f2" ? first_fault<std::uint16_t>(rows, array.columns, 0x7c00)
                            : first_fault<std::uint32_t>(rows, array.columns, 0x7f800000);
}

}  // namespace knnseq::stages
