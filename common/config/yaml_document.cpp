#include "config/yaml_document.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "config/expand_path.hpp"
#include "config/require_tree.hpp"
#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/nearest_name.hpp"

namespace knnseq::config {

namespace {

void note_duplicate_keys(ConfigState& state, const YAML::Node& node) {
  if (node.IsMap()) {
    std::set<std::string> seen;
    for (const auto& item : node) {
      const auto key = item.first.as<std::string>();
      if (!seen.insert(key).second)
        state.problem(item.first, fmt::format("duplicate key '{}'", key));
      note_duplicate_keys(state, item.second);
    }
  } else if (node.IsSequence()) {
    for (const auto& item : node) note_duplicate_keys(state, item);
  }
}

/// One file's map; notes its duplicate keys.
YAML::Node load_map(ConfigState& state, const std::string& text, const std::string& name) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& e) {
    throw core::InputError(fmt::format("{}:{}", name, e.mark.line + 1), "not valid YAML: " + e.msg);
  }
  require_tree(root, name);
  if (root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
  if (!root.IsMap()) throw core::InputError(name, "must be a map of keys to values");
  state.files.push_back({name, root});
  try {
    note_duplicate_keys(state, root);
  } catch (const YAML::Exception& e) {
    throw core::InputError(fmt::format("{}:{}", name, e.mark.line + 1), "keys must be plain words");
  }
  return root;
}

/// Takes the key `include` or `tuned` out of the map: one file or a list.
std::vector<std::string> named_files(ConfigState& state, YAML::Node root, const std::string& key) {
  const YAML::Node& map = root;  // const: operator[] must not create the key
  const YAML::Node files = map[key];
  std::vector<std::string> names;
  if (!files.IsDefined() || files.IsNull()) return names;
  if (files.IsScalar()) {
    names.push_back(files.as<std::string>());
  } else {
    for (const auto& item : files) {
      if (files.IsSequence() && item.IsScalar()) {
        names.push_back(item.as<std::string>());
      } else {
        state.problem(files, key + ": must be a file or a list of files");
        break;
      }
    }
  }
  root.remove(key);
  return names;
}

/// The same for a map under `tuned`, whose values take the place of the config's own. Each is told.
void replace(ConfigState& state, YAML::Node into, const YAML::Node& from, const std::string& path) {
  for (const auto& item : from) {
    const auto key = item.first.as<std::string>();
    const YAML::Node& map = into;
    const YAML::Node own = map[key];
    if (own.IsDefined() && own.IsMap() && item.second.IsMap()) {
      replace(state, own, item.second, path + key + ".");
      continue;
    }
    const auto said = [](const YAML::Node& value) {
      return value.IsNull() ? std::string("none") : YAML::Dump(value);
    };
    if (own.IsDefined() && !own.IsNull() && said(own) != said(item.second)) {
      state.notices.push_back(fmt::format("{}{}: {} ({}) takes the place of {} ({})", path, key,
                                          said(item.second), state.place(item.second), said(own),
                                          state.place(own)));
    }
    if (item.second.IsNull()) {
      into.remove(key);
    } else {
      into[key] = item.second;
    }
  }
}

/// Adds the keys of an included map. A key in both is a problem, since either could be meant.
void join(ConfigState& state, YAML::Node into, const YAML::Node& from, const std::string& path) {
  for (const auto& item : from) {
    const auto key = item.first.as<std::string>();
    const YAML::Node& map = into;
    const YAML::Node own = map[key];
    if (!own.IsDefined() || own.IsNull()) {
      into[key] = item.second;
    } else if (own.IsMap() && item.second.IsMap()) {
      join(state, own, item.second, path + key + ".");
    } else {
      state.problem(own, fmt::format("'{}{}' is also in the included {}: leave either out, or name "
                                     "that file under 'tuned' instead, where it takes precedence",
                                     path, key, state.place(item.second)));
    }
  }
}

/// Whether a node is part of a tree.
bool holds(const YAML::Node& tree, const YAML::Node& node) {
  if (tree.is(node)) return true;
  if (tree.IsMap()) {
    return std::any_of(tree.begin(), tree.end(), [&](const auto& item) {
      return item.first.is(node) || holds(item.second, node);
    });
  }
  return tree.IsSequence() && std::any_of(tree.begin(), tree.end(), [&](const YAML::Node& item) {
           return holds(item, node);
         });
}

/// Returns the node that now has the value.
YAML::Node apply_override(YAML::Node node, const std::string& override) {
  const std::string where = "--set " + override;
  const auto equals = override.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw core::InputError(where, "must be key=value, for example --set knn.k=8");
  }
  std::string path = override.substr(0, equals);
  while (true) {
    const auto dot = path.find('.');
    const std::string key = path.substr(0, dot);
    if (key.empty()) throw core::InputError(where, "has an empty key");
    YAML::Node next;
    if (node.IsSequence()) {
      const bool digits =
          std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
      const std::size_t index = digits && key.size() < 9 ? std::stoul(key) : node.size();
      if (index >= node.size()) {
        throw core::InputError(
            where,
            fmt::format("'{}' is not a number below {}, the length of the list", key, node.size()));
      }
      next.reset(node[index]);
    } else if (node.IsMap() || node.IsNull() || !node.IsDefined()) {
      next.reset(node[key]);
    } else {
      throw core::InputError(where, fmt::format("'{}' lies below a plain value", key));
    }
    node.reset(next);
    if (dot == std::string::npos) break;
    path.erase(0, dot + 1);
  }
  try {
    const YAML::Node value = YAML::Load(override.substr(equals + 1));
    require_tree(value, where);
    node = value;
    return node;
  } catch (const YAML::Exception& e) {
    throw core::InputError(where, e.msg);
  }
}

/// state: null, or says where values come from.
void emit_section(YAML::Emitter& out, const SectionNode& section, const ConfigState* state);

void emit_value(YAML::Emitter& out, const ResolvedKey& key, const ConfigState* state = nullptr) {
  if (const auto* text = std::get_if<std::string>(&key.value)) {
    out << YAML::Load(*text);
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&key.value)) {
    if (state != nullptr) out << YAML::Flow;  // with a comment behind it
    out << YAML::BeginSeq;
    for (const auto& item : *texts) out << YAML::DoubleQuoted << item;
    out << YAML::EndSeq;
  } else if (const auto* child = std::get_if<std::shared_ptr<SectionNode>>(&key.value)) {
    emit_section(out, **child, state);
  } else {
    out << YAML::BeginSeq;
    for (const auto& item : std::get<std::vector<std::shared_ptr<SectionNode>>>(key.value)) {
      emit_section(out, *item, state);
    }
    out << YAML::EndSeq;
  }
}

void emit_section(YAML::Emitter& out, const SectionNode& section, const ConfigState* state) {
  out << YAML::BeginMap;
  for (const auto& key : section.known) {
    out << YAML::Key << key.key << YAML::Value;
    emit_value(out, key, state);
    const bool plain = std::holds_alternative<std::string>(key.value) ||
                       std::holds_alternative<std::vector<std::string>>(key.value);
    if (state == nullptr || !plain) continue;
    const YAML::Node node = section.yaml.IsMap() ? section.yaml[key.key] : YAML::Node();
    out << YAML::Comment(node.IsDefined() && !node.IsNull() ? state->place(node) : "default");
  }
  out << YAML::EndMap;
}

/// `path`: what comes before the section's keys.
void collect_keys(const SectionNode& section, const std::string& path,
                  std::vector<KnownKey>& keys) {
  for (const auto& key : section.known) {
    if (const auto* child = std::get_if<std::shared_ptr<SectionNode>>(&key.value)) {
      collect_keys(**child, path + key.key + ".", keys);
    } else if (const auto* items =
                   std::get_if<std::vector<std::shared_ptr<SectionNode>>>(&key.value)) {
      if (!items->empty()) collect_keys(*items->front(), path + key.key + "[].", keys);
    } else {
      YAML::Emitter out;
      out << YAML::Flow;
      emit_value(out, key);
      keys.push_back({path + key.key, out.c_str(), key.problem, key.schema});
    }
  }
}

}  // namespace

ResolvedKey& SectionNode::resolved(const std::string& key) {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const ResolvedKey& entry) { return entry.key == key; });
  return found != known.end() ? *found : known.emplace_back(ResolvedKey{key, std::string("null")});
}

std::string ConfigState::place(const YAML::Node& node) const {
  for (auto last = overrides.rbegin(); last != overrides.rend(); ++last) {
    if (holds(last->second, node)) return "--set " + last->first;
  }
  const auto mark = node.Mark();
  const auto from = std::find_if(files.rbegin(), files.rend(),
                                 [&](const ConfigFile& one) { return holds(one.tree, node); });
  const std::string& name = from == files.rend() ? file : from->name;
  return mark.line < 0 ? name : fmt::format("{}:{}", name, mark.line + 1);
}

void ConfigState::problem(const YAML::Node& node, const std::string& message) {
  problems.push_back(place(node) + ": " + message);
}

std::shared_ptr<ConfigState> parse_yaml(const std::string& text, const std::string& name,
                                        const std::vector<std::string>& overrides) {
  auto state = std::make_shared<ConfigState>();
  state->file = name;
  YAML::Node root = load_map(*state, text, name);
  const auto load = [&](const std::string& named) {
    const std::string file = expand_path(named);
    const YAML::Node tree = load_map(*state, core::read_whole(file, most_config_bytes), file);
    for (const char* key : {"include", "tuned"}) {
      if (const YAML::Node& nested = tree; nested[key].IsDefined()) {
        throw core::InputError(file, "is included, and must not include others");
      }
    }
    return tree;
  };
  const auto tuned = named_files(*state, root, "tuned");
  for (const auto& file : named_files(*state, root, "include")) join(*state, root, load(file), "");
  YAML::Node together(YAML::NodeType::Map);  // a key in two of them is a problem
  for (const auto& file : tuned) join(*state, together, load(file), "");
  replace(*state, root, together, "");
  for (const auto& override : overrides) {
    state->overrides.emplace_back(override, apply_override(root, override));
  }
  state->root = std::make_shared<SectionNode>(SectionNode{root, "", {}});
  return state;
}

void note_unknown_keys(ConfigState& state, const SectionNode& section) {
  if (section.yaml.IsMap()) {
    for (const auto& item : section.yaml) {
      const auto key = item.first.as<std::string>();
      std::vector<std::string> names;
      for (const auto& known : section.known) names.push_back(known.key);
      const auto nearest = core::nearest_name(key, names);
      if (nearest == key) continue;
      std::string message = fmt::format("unknown key '{}{}'", section.path, key);
      if (!nearest.empty()) {
        message += fmt::format(" (did you mean '{}{}'?)", section.path, nearest);
      }
      state.problem(item.first.Mark().line < 0 ? item.second : item.first, message);
    }
  }
  for (const auto& key : section.known) {
    if (const auto* child = std::get_if<std::shared_ptr<SectionNode>>(&key.value)) {
      note_unknown_keys(state, **child);
    } else if (const auto* children =
                   std::get_if<std::vector<std::shared_ptr<SectionNode>>>(&key.value)) {
      for (const auto& item : *children) note_unknown_keys(state, *item);
    }
  }
}

std::vector<KnownKey> known_keys(const SectionNode& root) {
  std::vector<KnownKey> keys;
  collect_keys(root, "", keys);
  return keys;
}

std::string emit(const SectionNode& root) {
  YAML::Emitter out;
  emit_section(out, root, nullptr);
  return std::string(out.c_str()) + "\n";
}

std::string emit_with_origins(const ConfigState& state) {
  YAML::Emitter out;
  emit_section(out, *state.root, &state);
  return std::string(out.c_str()) + "\n";
}

}  // namespace knnseq::config
