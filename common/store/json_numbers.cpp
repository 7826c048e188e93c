#include "store/json_numbers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/json_field.hpp"

namespace knnseq::store {

namespace {

struct Count {
  std::string_view name;
  std::int64_t most;
};

constexpr std::int64_t most_bytes = std::int64_t{1} << 56;
constexpr std::array counts{
    Count{"entries", core::max_entry_number},
    Count{"sentences", core::max_entry_number},
    Count{"batches", core::max_entry_number},
    Count{"first_entry", core::max_entry_number},
    Count{"first_row", core::max_entry_number},
    Count{"rows", core::max_entry_number},
    Count{"bytes", most_bytes},
    Count{"lists", std::numeric_limits<std::int32_t>::max()},
    Count{"width", 65'536},
    Count{"decoder_layers", 1'000},
    Count{"vocab_size", core::max_id_token + 1},
};

const Count* find_count(std::string_view name) {
  const auto found = std::ranges::find(counts, name, &Count::name);
  return found == counts.end() ? nullptr : &*found;
}

/// `place`: of `json` in the file, as core::JsonField names it.
void check_counts(const core::Json& json, const std::string& file, const std::string& place) {
  const std::string before = json.is_object() && !place.empty() ? place + "." : place;
  for (const auto& [name, value] : json.items()) {
    const std::string inner = json.is_object() ? before + name : before;
    if (value.is_structured()) {
      check_counts(value, file, inner);
    } else if (const Count* const count = json.is_object() ? find_count(name) : nullptr) {
      core::JsonField(file, value, inner).number(0, count->most);
    }
  }
}

}  // namespace

void check_counts(const core::Json& json, const std::string& file) { check_counts(json, file, ""); }

void require_finite(const core::Json& json) {
  if (json.is_structured()) {
    for (const auto& part : json) require_finite(part);
  } else if (json.is_number_float()) {
    KNNSEQ_ASSERT(std::isfinite(json.get<double>()), "only finite numbers can be kept in JSON");
  }
}

}  // namespace knnseq::store
