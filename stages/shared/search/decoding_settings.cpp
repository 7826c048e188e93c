#include "stages/shared/search/decoding_settings.hpp"

#include <cstdlib>
#include <limits>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"

namespace knnseq::stages {

namespace {

/// Whether --set names a setting: "knn.k=8" or "decode.1.k=8" names k, "knn={k: 8}" all of knn.
bool names_setting(const std::string& override_text, const std::string& key) {
  const auto path = override_text.substr(0, override_text.find('='));
  const auto section = path.substr(0, path.find('.'));
  const auto last = path.substr(path.rfind('.') + 1);
  if (section != "knn" && section != "subset" && section != "decode") return path == key;
  return last == key || path == section;
}

/// Takes settings from a manifest, and refuses what the command line says otherwise.
class Adopter {
 public:
  Adopter(const store::Manifest& made, const std::vector<std::string>& overrides)
      : made_(made), inputs_(made.input_fields()), overrides_(overrides) {}

  bool has(const std::string& name) const { return inputs_.has(name); }
  core::JsonField field(const std::string& name) const { return inputs_.at(name); }

  /// `key`: the setting's name in the config, if it is another one.
  template <class T>
  void take(const std::string& name, T& setting, const T& made_with, std::string key = "") const {
    if (key.empty()) key = name;
    if (setting != made_with) {
      for (const auto& text : overrides_) {
        if (!names_setting(text, key)) continue;
        throw core::InputError(
            "--set " + text,
            fmt::format("{} was made with {} {}; its tokens can be explained by that only",
                        made_.file.parent_path().string(), key, shown(made_with)));
      }
    }
    setting = made_with;
  }

  void integer(const std::string& name, std::int64_t& setting, const std::string& key = "") const {
    take(name, setting, field(name).number(1, std::numeric_limits<std::int32_t>::max()), key);
  }
  void number(const std::string& name, float& setting) const {
    take(name, setting, static_cast<float>(field(name).finite()));
  }
  template <class Enum>
  void named(const std::string& name, Enum& setting) const {
    const auto value = core::value_named<Enum>(field(name).text());
    if (!value) field(name).refuse("is not known");
    take(name, setting, *value);
  }

 private:
  static std::string shown(float value) { return fmt::format("{:g}", value); }
  static std::string shown(double value) { return fmt::format("{:g}", value); }
  static std::string shown(bool value) { return value ? "true" : "false"; }
  static std::string shown(std::int64_t value) { return std::to_string(value); }
  static std::string shown(const std::string& value) { return value; }
  static std::string shown(const std::optional<float>& value) {
    return value ? shown(*value) : "null";
  }
  static std::string shown(const std::filesystem::path& value) {
    return value.empty() ? "none" : value.string();
  }
  template <class Enum>
  static std::string shown(Enum value) {
    return std::string(core::name_of(value));
  }

  const store::Manifest& made_;
  core::JsonField inputs_;
  const std::vector<std::string>& overrides_;
};

void adopt_mixing(const Adopter& made, retrieval::MixingOptions& mixing) {
  using retrieval::PolicyKind;
  if (made.has("policy")) {
    made.named("policy", mixing.policy);
  } else {
    made.take("policy", mixing.policy, PolicyKind::fixed);
  }
  if (!retrieval::is_learned(mixing.policy)) {
    made.number("temperature", mixing.temperature);
    std::optional<float> threshold;
    if (!made.field("threshold").as<core::Json>().is_null()) {
      threshold = static_cast<float>(made.field("threshold").finite());
    }
    made.take("threshold", mixing.threshold, threshold);
  }
  if (mixing.policy == PolicyKind::distance) made.number("tau", mixing.tau);
  if (mixing.policy == PolicyKind::fixed) made.number("lambda", mixing.lambda);
  made.take("skip", mixing.skip, made.has("gate") ? made.field("skip").finite() : 0.0);
  if (!made.has("gate")) made.take("gate", mixing.gate, std::filesystem::path());
}

/// Files that a decoding was made with, and the config must name, beside another key.
void require_named(const store::Manifest& made, const char* key, const char* beside,
                   const std::filesystem::path& file) {
  if (!made.inputs.contains(key) || !file.empty()) return;
  throw core::InputError(
      made.file.parent_path(),
      fmt::format("the translation was made with a {0} that the config does not name: set knn.{1} "
                  "and knn.{0}",
                  key, beside));
}

}  // namespace

double short_number(double number) {
  return std::strtod(fmt::format("{:.6g}", number).c_str(), nullptr);
}

core::Json describe_settings(const Options& options, const DecodeOptions& decoding) {
  core::Json settings = {{"mode", decoding.knn ? core::name_of(decoding.mode) : "base"},
                         {"beam", decoding.beam.beam},
                         {"length_penalty", decoding.beam.length_penalty}};
  if (!decoding.knn) return settings;
  if (decoding.mode != KnnMode::plain) {
    settings["encoder"] = core::name_of(options.subset.encoder);
  }
  if (decoding.mode == KnnMode::memory) {
    settings.erase("beam");
    settings.erase("length_penalty");
    return settings;
  }
  if (decoding.mode == KnnMode::subset) settings["sentences"] = options.subset.sentences;
  if (decoding.mode == KnnMode::plain) settings["nprobe"] = decoding.search.nprobe;
  settings["k"] = decoding.search.k;
  const auto& mixing = decoding.interpolation;
  settings["policy"] = core::name_of(mixing.policy);
  if (!retrieval::is_learned(mixing.policy)) {
    settings["temperature"] = short_number(mixing.temperature);
    if (mixing.threshold) settings["threshold"] = short_number(*mixing.threshold);
  }
  if (mixing.policy == retrieval::PolicyKind::distance) settings["tau"] = short_number(mixing.tau);
  if (mixing.policy == retrieval::PolicyKind::fixed) {
    settings["lambda"] = short_number(mixing.lambda);
  }
  if (!mixing.gate.empty()) settings["skip"] = mixing.skip;
  return settings;
}

void adopt_settings(const store::Manifest& manifest, const std::vector<std::string>& overrides,
                    Options& options, DecodeOptions& decoding) {
  const Adopter made(manifest, overrides);
  made.take("dtype", decoding.dtype, made.field("dtype").text());
  made.take("knn", decoding.knn, made.has("k") || made.has("mode"));
  if (!decoding.knn) return;
  auto& search = decoding.search;
  if (made.has("mode")) {
    made.named("mode", decoding.mode);
    made.named("encoder", options.subset.encoder);
    if (made.has("sentence_nprobe")) {
      made.integer("sentence_nprobe", options.subset.nprobe, "nprobe");
    }
    if (decoding.mode == KnnMode::memory) return;
    made.integer("sentences", options.subset.sentences);
  } else {
    made.take("mode", decoding.mode, KnnMode::plain);
    made.integer("nprobe", search.nprobe);
    made.integer("ef_search", search.ef_search);
    made.named("probing", search.probing);
    const bool of_faiss = made.field("backend").text().starts_with("faiss");  // "faiss on GPUs"
    made.take("backend", search.backend, of_faiss ? index::Backend::faiss : index::Backend::knnseq);
  }
  made.integer("k", search.k);
  adopt_mixing(made, decoding.interpolation);
}

void require_made_with(runtime::StageContext& context, const Options& options,
                       const DecodeOptions& decoding, const SearchedData& data,
                       const store::Manifest& made) {
  core::Json models = core::Json::array();
  for (const auto& path : options.models) models.push_back(model_fingerprint(context, path));
  core::Json now = {{"models", models}, {"tokenizer", tokenizer_fingerprint(context, options)}};
  if (decoding.knn) now.update(search_inputs(context, options, decoding, data));
  comm::agree(context.comm, [&] {
    if (decoding.knn && decoding.mode != KnnMode::memory) {
      require_named(made, "network", "policy", decoding.interpolation.network);
      require_named(made, "gate", "skip", decoding.interpolation.gate);
      decoding.interpolation.validate(decoding.search.k);
      now.update(decoding.interpolation.inputs());
    }
    core::Json was_made_with, is;
    for (const auto* name : {"models", "tokenizer", "indexes", "weights", "codes", "sentence_index",
                             "network", "gate"}) {
      if (made.inputs.contains(name)) was_made_with[name] = made.inputs[name];
      if (now.contains(name)) is[name] = now[name];
    }
    const auto changes = store::describe_changes(was_made_with, is);
    if (changes.empty()) return;
    throw core::InputError(made.file.parent_path(),
                           "the translation was made with other inputs: " + changes);
  });
}

}  // namespace knnseq::stages
