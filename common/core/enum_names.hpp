// Names of an enum's values, written once and beside the enum, for configs, manifests and messages.
//
//   constexpr auto names_of(Metric) {
//     return core::enum_names<Metric>({{Metric::l2, "l2"}, {Metric::ip, "ip"}});
//   }
//
// Then core::name_of(Metric::ip) is "ip", and core::value_named<Metric>("ip") is Metric::ip.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knnseq::core {

template <class Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};

template <class Enum, std::size_t n>
constexpr std::array<EnumName<Enum>, n> enum_names(const EnumName<Enum> (&names)[n]) {
  return std::to_array(names);
}

template <class Enum>
constexpr std::string_view name_of(Enum value) {
  for (const auto& known : names_of(value)) {
    if (known.value == value) return known.name;
  }
  return {};
}

/// Nothing where no value has this name.
template <class Enum>
constexpr std::optional<Enum> value_named(std::string_view name) {
  for (const auto& known : names_of(Enum{})) {
    if (known.name == name) return known.value;
  }
  return std::nullopt;
}

/// All names, in the order in which they are written.
template <class Enum>
std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& known : names_of(Enum{})) names.emplace_back(known.name);
  return names;
}

}  // namespace knnseq::core
