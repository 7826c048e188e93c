#include "stages/shared/options/config_schema.hpp"

#include <string>

namespace knnseq::stages {

namespace {

core::Json empty_object() {
  return {
      {"type", "object"}, {"properties", core::Json::object()}, {"additionalProperties", false}};
}

void require(core::Json& object, const std::string& name) {
  auto& names = object["required"];
  if (names.is_null()) names = core::Json::array();
  for (const auto& known : names) {
    if (known == name) return;
  }
  names.push_back(name);
}

/// Puts a key where its path leads from `object`: "knn.k", or "decode[].name" in a list's items.
void put_key(core::Json& object, const std::string& path, const core::Json& schema, bool required) {
  constexpr std::string_view list_mark = "[]";
  const auto dot = path.find('.');
  std::string name = path.substr(0, dot);
  if (dot == path.npos) {
    object["properties"][name] = schema;
    if (required) require(object, name);
    return;
  }
  const bool list = name.ends_with(list_mark);
  if (list) name.resize(name.size() - list_mark.size());
  auto& property = object["properties"][name];
  if (property.is_null()) {
    property = list ? core::Json{{"type", "array"}, {"items", empty_object()}} : empty_object();
  }
  if (required && !list) require(object, name);
  put_key(list ? property["items"] : property, path.substr(dot + 1), schema, required);
}

/// What a config or an item must have, if it does not have another key in place of it.
core::Json either(core::Json needed, const char* instead) {
  return {std::move(needed), {{"required", {instead}}}};
}

}  // namespace

core::Json config_schema(std::span<const config::KnownKey> keys) {
  core::Json root = empty_object();
  root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  root["title"] = "knnseq config (configs/reference.yaml describes every key)";
  const core::Json text = {{"type", "string"}};
  for (const char* key : {"include", "tuned"}) {
    put_key(root, key, {{"anyOf", {text, {{"type", "array"}, {"items", text}}}}}, false);
  }
  for (const auto& key : keys) {
    const bool is_text = key.path.ends_with(".source") || key.path.ends_with(".target");
    const bool has_else = is_text && (key.path.starts_with("corpus.") ||  // see below
                                      key.path.starts_with("append[]."));
    const bool required = key.problem.starts_with("is required");
    core::Json schema = key.schema;
    if (!required) {
      const auto fallback = core::Json::parse(key.fallback, nullptr, /*allow_exceptions=*/false);
      schema["default"] = fallback.is_discarded() ? core::Json(key.fallback) : fallback;
    }
    put_key(root, key.path, schema, required && !has_else);
  }
  const core::Json texts = {{"required", {"source", "target"}}};
  auto& properties = root["properties"];
  if (properties.contains("corpus") && properties.contains("import")) {
    root["anyOf"] =
        either({{"required", {"corpus"}}, {"properties", {{"corpus", texts}}}}, "import");
  }
  if (properties.contains("append"))
    properties["append"]["items"]["anyOf"] = either(texts, "merged");
  return root;
}

}  // namespace knnseq::stages
