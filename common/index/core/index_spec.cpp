#include "index/core/index_spec.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::index {

namespace {

constexpr auto supported =
    "supported are [OPQm|OPQm_d|PCAd|PCAWd,][L2norm,][IVFn|IVFn_HNSWk,]Flat|PQm and, without "
    "lists, "
    "PQmx4fs and HNSWk, for example OPQ32_128,IVF1024,PQ32";

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

/// Takes `word` off the front; false (and nothing taken) if something else is there.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value <= 0) return std::nullopt;
  text.remove_prefix(end - text.data());
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
    spec.whitened = take(part, "W");
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
  if (take(part, "_HNSW")) {
    const auto edges = take_number(part);
    spec.coarse_edges = edges.value_or(0);
    return nlist && edges && part.empty();
  }
  return nlist.has_value() && part.empty();
}

bool parse_storage(std::string_view part, IndexSpec& spec) {
  if (part == "Flat") {
    spec.storage = Storage::flat;
    return true;
  }
  if (take(part, "HNSW")) {
    spec.storage = Storage::hnsw;
    const auto edges = take_number(part);
    spec.edges = edges.value_or(0);
    return edges.has_value() && part.empty();
  }
  if (!take(part, "PQ")) return false;
  const auto m = take_number(part);
  spec.m = m.value_or(0);
  spec.storage = part == "x4fs" ? Storage::pq_fast_scan : Storage::pq;
  if (spec.storage == Storage::pq_fast_scan) return m.has_value();
  take(part, "x8");
  take(part, "np");  // ours never trains polysemous codes
  return m.has_value() && part.empty();
}

Metric parse_metric(std::string_view metric) {
  if (const auto known = core::value_named<Metric>(metric)) return *known;
  throw core::InputError(fmt::format("metric '{}' is not l2, ip or cos", metric));
}

}  // namespace

std::int64_t IndexSpec::code_bytes() const {
  return has_quantizer() ? m * nbits() / 8 : d_out * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t IndexSpec::quantizer_centroids() const {
  if (has_quantizer()) return centroids();
  return transform == Transform::opq ? 256 : 0;
}

std::int64_t IndexSpec::least_sample() const {
  return std::max({nlist, quantizer_centroids(), std::int64_t{1}});
}

std::string IndexSpec::factory() const {
  std::string text;
  if (transform == Transform::opq) text = fmt::format("OPQ{}_{},", opq_m, d_out);
  if (transform == Transform::pca) text = fmt::format("PCA{}{},", whitened ? "W" : "", d_out);
  if (normalised) text += "L2norm,";
  if (has_lists()) text += fmt::format("IVF{}", nlist);
  if (coarse_edges > 0) text += fmt::format("_HNSW{}", coarse_edges);
  if (has_lists()) text += ",";
  switch (storage) {
    case Storage::flat:
      return text + "Flat";
    case Storage::hnsw:
      return text + fmt::format("HNSW{}", edges);
    case Storage::pq_fast_scan:
      return text + fmt::format("PQ{}x4fs", m);
    case Storage::pq:
      break;
  }
  return text + fmt::format("PQ{}", m);
}

void IndexSpec::validate() const {
  const auto require = [&](bool holds, const std::string& reason) {
    if (!holds) refuse(factory(), reason);
  };
  const bool quantized = storage == Storage::pq || storage == Storage::pq_fast_scan;
  require(d_in > 0, "the width of the keys must be positive");
  require(
      nlist >= 0 && d_out > 0 && quantized == (m > 0) && (storage == Storage::hnsw) == (edges > 0),
      "all numbers must be positive");
  require(nlist <= (std::int64_t{1} << 31) - 1, "too many lists");
  require(edges != 1 && edges <= 1024 && coarse_edges != 1 && coarse_edges <= 1024,
          "HNSW takes 2 to 1024 edges");
  require(has_lists() || coarse_edges == 0, "a graph over centroids needs lists");
  require(!has_lists() || storage == Storage::flat || storage == Storage::pq,
          "lists stand only before Flat and PQm");
  require(d_out <= d_in,
          fmt::format("the transform cannot widen keys of width {} to {}", d_in, d_out));
  require(transform != Transform::none || d_out == d_in, "only a transform changes the width");
  require(!whitened || transform == Transform::pca, "only PCA whitens");
  require(metric == Metric::l2 || (!whitened && !normalised),
          "PCAW and L2norm are for the metric l2 (of unit vectors it is the cosine)");
  if (quantized) {
    require(d_out % m == 0, fmt::format("PQ{} cannot cut width {} into equal parts", m, d_out));
  }
  require(storage != Storage::pq_fast_scan || m % 2 == 0, "4-bit codes need an even m");
  if (transform == Transform::opq) {
    require(opq_m > 0 && d_out % opq_m == 0,
            fmt::format("OPQ{} cannot cut width {} into equal parts", opq_m, d_out));
  }
}

IndexSpec parse_index_spec(std::string_view factory, std::int64_t d_in, std::string_view metric) {
  IndexSpec spec;
  spec.metric = parse_metric(metric);
  spec.d_in = d_in;
  spec.d_out = d_in;
  const auto parts = split_at_commas(factory);
  auto part = parts.begin();
  if (part->starts_with("OPQ") || part->starts_with("PCA")) {
    if (!parse_transform(*part, spec)) {
      refuse(factory, fmt::format("'{}' is not OPQm, OPQm_d, PCAd or PCAWd", *part));
    }
    ++part;
  }
  if (part != parts.end() && *part == "L2norm") {
    spec.normalised = true;
    ++part;
  }
  if (part != parts.end() && part->starts_with("IVF")) {
    if (!parse_lists(*part, spec)) {
      refuse(factory, fmt::format("'{}' is not IVFn or IVFn_HNSWk", *part));
    }
    ++part;
  }
  if (part == parts.end()) refuse(factory, "it does not say how entries are stored");
  if (!parse_storage(*part, spec)) {
    refuse(factory, fmt::format("'{}' is not Flat, PQm, PQmx4fs or HNSWk", *part));
  }
  if (std::next(part) != parts.end() &&
      !(spec.storage == Storage::hnsw && part[1] == "Flat" && part + 2 == parts.end())) {
    refuse(factory, fmt::format("'{}' is too much", part[1]));
  }
  spec.validate();
  return spec;
}

}  // namespace knnseq::index
