// Whole numbers in untrusted JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace knnseq::core {

/// The value if it is a whole number of 64 bits; std::nullopt for 1.5, 1e300, 2^63 or "7", which
/// nlohmann's get<std::int64_t>() would convert to some number, or throw for.
inline std::optional<std::int64_t> json_integer(const nlohmann::json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && !std::in_range<std::int64_t>(value.get<std::uint64_t>())) {
    return std::nullopt;
  }
  return value.get<std::int64_t>();
}

}  // namespace knnseq::core
