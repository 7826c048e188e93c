#include "config/require_tree.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace knnseq::config {

namespace {

constexpr int deepest = 64;
constexpr std::int64_t most_nodes = 100'000;
constexpr const char* endless = " (an alias that contains itself?)";

/// yaml-cpp keeps bytes that are not UTF-8, and control characters such as the carriage returns of
/// old line ends, as part of a value.
bool is_plain_text(const std::string& value) {
  return core::is_valid_utf8(value) &&
         std::none_of(value.begin(), value.end(), [](unsigned char c) {
           return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7F;
         });
}

class Walk {
 public:
  explicit Walk(const std::string& name) : name_(name) {}

  void visit(const YAML::Node& node, int depth) {
    if (depth > deepest) {
      refuse(node, fmt::format("nested deeper than {} maps and lists{}", deepest, endless));
    }
    if (++nodes_ > most_nodes) {
      refuse(node, fmt::format("more than {} values{}", most_nodes, endless));
    }
    if (node.IsMap()) {
      for (const auto& item : node) {
        visit(item.first, depth + 1);
        visit(item.second, depth + 1);
      }
    } else if (node.IsSequence()) {
      for (const auto& item : node) visit(item, depth + 1);
    } else if (node.IsScalar() && !is_plain_text(node.Scalar())) {
      refuse(node, "a value with control characters or invalid UTF-8");
    }
  }

 private:
  [[noreturn]] void refuse(const YAML::Node& node, const std::string& what) const {
    throw core::InputError(fmt::format("{}:{}", name_, node.Mark().line + 1), what);
  }

  const std::string& name_;
  std::int64_t nodes_ = 0;
};

}  // namespace

void require_tree(const YAML::Node& root, const std::string& name) { Walk(name).visit(root, 0); }

}  // namespace knnseq::config
