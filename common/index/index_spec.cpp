#include "index/index_spec.hpp"

#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::index {

namespace {

constexpr auto supported =
    "this version supports [OPQm|OPQm_d|PCAd,]IVFn,PQm[x8][np] with metric l2, "
    "for example OPQ32_128,IVF1024,PQ32";

[[noreturn]] void refuse(std::string_view factory, std::string_view reason) {
  throw core::InputError(
      fmt::format("index factory string '{}': {}; {}", factory, reason, supported));
}

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// Takes `word` off the front; false (and nothing taken) where something else is there.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value <= 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool parse_transform(std::string_view part, IndexSpec& spec) {
  std::optional<std::int64_t> width = spec.d_in;
  if (take(part, "OPQ")) {
    const auto m = take_number(part);
    if (!m) return false;
    spec.transform = Transform::opq;
    spec.opq_m = *m;
    if (take(part, "_")) width = take_number(part);
  } else if (take(part, "PCA")) {
    spec.transform = Transform::pca;
    width = take_number(part);
  } else {
    return false;
  }
  if (!width || !part.empty()) return false;
  spec.d_out = *width;
  return true;
}

bool parse_lists(std::string_view part, IndexSpec& spec) {
  if (!take(part, "IVF")) return false;
  const auto nlist = take_number(part);
  spec.nlist = nlist.value_or(0);
  return nlist.has_value() && part.empty();
}

bool parse_quantizer(std::string_view part, IndexSpec& spec) {
  if (!take(part, "PQ")) return false;
  const auto m = take_number(part);
  spec.m = m.value_or(0);
  take(part, "x8");
  take(part, "np");  // ours never trains polysemous codes
  return m.has_value() && part.empty();
}

}  // namespace

std::string IndexSpec::factory() const {
  std::string prefix;
  if (transform == Transform::opq) prefix = fmt::format("OPQ{}_{},", opq_m, d_out);
  if (transform == Transform::pca) prefix = fmt::format("PCA{},", d_out);
  return fmt::format("{}IVF{},PQ{}", prefix, nlist, m);
}

void IndexSpec::validate() const {
  const auto require = [&](bool holds, const std::string& reason) {
    if (!holds) refuse(factory(), reason);
  };
  require(d_in > 0, "the width of the keys must be positive");
  require(nlist > 0 && m > 0 && d_out > 0, "all numbers must be positive");
  require(nlist <= (std::int64_t{1} << 31) - 1, "too many lists");
  require(nbits == 8, "PQ codes have 8 bits");
  require(d_out <= d_in,
          fmt::format("the transform cannot widen keys of width {} to {}", d_in, d_out));
  require(transform != Transform::none || d_out == d_in, "only a transform changes the width");
  require(d_out % m == 0, fmt::format("PQ{} cannot cut width {} into equal parts", m, d_out));
  if (transform == Transform::opq) {
    require(opq_m > 0 && d_out % opq_m == 0,
            fmt::format("OPQ{} cannot cut width {} into equal parts", opq_m, d_out));
  }
}

IndexSpec parse_index_spec(std::string_view factory, std::int64_t d_in, std::string_view metric) {
  if (metric != "l2") {
    throw core::InputError(
        fmt::format("metric '{}' is not supported in this version, only l2 is", metric));
  }
  IndexSpec spec;
  spec.d_in = d_in;
  spec.d_out = d_in;
  const auto parts = split_at_commas(factory);
  if (parts.size() < 2 || parts.size() > 3) refuse(factory, "not of this form");
  if (parts.size() == 3 && !parse_transform(parts.front(), spec)) {
    refuse(factory, fmt::format("'{}' is not a supported transform", parts.front()));
  }
  const auto lists = parts[parts.size() - 2];
  if (!parse_lists(lists, spec)) refuse(factory, fmt::format("'{}' is not IVFn", lists));
  if (!parse_quantizer(parts.back(), spec)) {
    refuse(factory, fmt::format("'{}' is not PQm[x8][np]", parts.back()));
  }
  spec.validate();
  return spec;
}

}  // namespace knnseq::index
