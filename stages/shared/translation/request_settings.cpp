#include "stages/shared/translation/request_settings.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/json_field.hpp"

namespace knnseq::stages {

namespace {

using retrieval::PolicyKind;

/// Reads the fields of a request's "knn"; each overrides what the config says.
class SettingsReader {
 public:
  explicit SettingsReader(const core::Json& knn) : fields_("knn", knn) {
    static constexpr std::array names = {"mode",        "k",      "nprobe", "policy",
                                         "temperature", "lambda", "tau",    "threshold"};
    for (const auto& [name, value] : fields_.members()) {
      if (std::ranges::find(names, name) != names.end()) continue;
      throw core::InputError(
          fmt::format("knn.{} is not known; there are {}", name, fmt::join(names, ", ")));
    }
  }

  bool has(const char* name) const { return fields_.has(name); }

  void integer(const char* name, std::int64_t& setting, std::int64_t most) const {
    if (has(name)) setting = fields_.at(name).number(1, most);
  }
  /// In [least, most].
  void number(const char* name, float& setting, double least, double most) const {
    if (!has(name)) return;
    const double value = fields_.at(name).finite();
    if (value < least || value > most) {
      throw core::InputError(
          fmt::format("knn.{} {:g} must lie in {:g} to {:g}", name, value, least, most));
    }
    setting = static_cast<float>(value);
  }
  template <class Enum>
  void choice(const char* name, Enum& setting) const {
    if (!has(name)) return;
    const auto value = core::value_named<Enum>(fields_.at(name).text());
    if (!value) {
      throw core::InputError(
          fmt::format("knn.{} must be one of: {}", name, fmt::join(core::all_names<Enum>(), ", ")));
    }
    setting = *value;
  }
  void threshold(std::optional<float>& setting) const {
    if (!has("threshold")) return;
    setting.reset();
    if (fields_.at("threshold").as<core::Json>().is_null()) return;
    number("threshold", setting.emplace(), -1e30, 1e30);
  }

 private:
  core::JsonField fields_;
};

void require_effect(const SettingsReader& given, KnnMode mode, PolicyKind policy) {
  const auto refuse_for = [&](const char* name, const std::string& why) {
    if (given.has(name)) throw core::InputError(fmt::format("knn.{} has no effect: {}", name, why));
  };
  const auto mode_is = fmt::format("mode is {}", core::name_of(mode));
  if (mode != KnnMode::plain) refuse_for("nprobe", mode_is);
  for (const auto* name : {"k", "policy", "temperature", "lambda", "tau", "threshold"}) {
    if (mode == KnnMode::memory) refuse_for(name, mode_is);
  }
  const auto refuse = [&](const char* name) {
    refuse_for(name, fmt::format("policy is {}", core::name_of(policy)));
  };
  if (policy != PolicyKind::fixed) refuse("lambda");
  if (policy != PolicyKind::distance) refuse("tau");
  if (!retrieval::is_learned(policy)) return;
  refuse("temperature");
  refuse("threshold");
}

}  // namespace

DecodeOptions with_settings(DecodeOptions decoding, const core::Json& knn,
                            const std::string& metric) {
  if (knn.is_boolean()) decoding.knn = knn.get<bool>();
  if (knn.is_object()) {
    const SettingsReader given(knn);
    decoding.knn = true;
    auto& mixing = decoding.interpolation;
    given.choice("mode", decoding.mode);
    given.integer("k", decoding.search.k, 1'000'000);
    given.integer("nprobe", decoding.search.nprobe, 1'000'000'000);
    given.choice("policy", mixing.policy);
    given.number("temperature", mixing.temperature, 1e-6, 1e30);
    given.number("lambda", mixing.lambda, 0, 0.99999);
    given.number("tau", mixing.tau, 1e-6, 1e30);
    given.threshold(mixing.threshold);
    require_effect(given, decoding.mode, mixing.policy);
  } else if (!knn.is_boolean() && !knn.is_null()) {
    throw core::InputError("knn must be true, false or an object of settings");
  }
  if (!decoding.knn || decoding.mode == KnnMode::memory) return decoding;
  if (decoding.interpolation.policy == PolicyKind::distance && metric != "l2") {
    throw core::InputError("knn.policy distance needs an index of metric l2");
  }
  if (retrieval::is_learned(decoding.interpolation.policy)) {
    if (decoding.interpolation.network.empty()) {
      throw core::InputError(
          fmt::format("knn.policy {} needs knn.network in the config, a file that "
                      "tune has written",
                      core::name_of(decoding.interpolation.policy)));
    }
    decoding.interpolation.threshold.reset();
  }
  decoding.interpolation.validate(decoding.search.k);
  return decoding;
}

}  // namespace knnseq::stages
