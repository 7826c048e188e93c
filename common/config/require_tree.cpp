#include "config/require_tree.hpp"

#include <cstdint>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::config {

namespace {

constexpr int deepest = 64;
constexpr std::int64_t most_nodes = 100'000;

class Walk {
 public:
  explicit Walk(const std::string& name) : name_(name) {}

  void visit(const YAML::Node& node, int depth) {
    if (depth > deepest) {
      refuse(node, fmt::format("nested deeper than {} maps and lists", deepest));
    }
    if (++nodes_ > most_nodes) refuse(node, fmt::format("more than {} values", most_nodes));
    if (node.IsMap()) {
      for (const auto& item : node) {
        visit(item.first, depth + 1);
        visit(item.second, depth + 1);
      }
    } else if (node.IsSequence()) {
      for (const auto& item : node) visit(item, depth + 1);
    }
  }

 private:
  [[noreturn]] void refuse(const YAML::Node& node, const std::string& what) const {
    throw core::InputError(fmt::format("{}:{}", name_, node.Mark().line + 1),
                           what + " (an alias that leads back to its own place?)");
  }

  const std::string& name_;
  std::int64_t nodes_ = 0;
};

}  // namespace

void require_tree(const YAML::Node& root, const std::string& name) { Walk(name).visit(root, 0); }

}  // namespace knnseq::config
