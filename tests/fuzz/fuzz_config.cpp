// A config, a file that it includes and overrides (--set), each after a NUL byte: what is accepted
// is written out, and read back to the same.
#include <string>

#include "config/config.hpp"
#include "fuzz.hpp"
#include "memory_file.hpp"

using namespace knnseq;

namespace {

/// Every kind of value, as a stage's options would read them.
void read_values(const config::Config& config) {
  const auto root = config.root();
  root.text("model", "");
  root.integer("shards", 1, {.least = 1, .most = 9});
  root.texts("files");
  root.integers("k", {1, 4}, {.least = 1, .most = 1000});
  root.numbers("shares", {0.5}, {.least = 0, .most = 1});
  const auto knn = root.section("knn");
  knn.number("lambda", 0.5, {.least = 0, .most = 1});
  knn.optional_number("threshold", {-1e30, 1e30});
  knn.flag("exact", false);
  for (const auto& item : root.sections("decode")) item.choice("mode", {"base", "knn"}, "base");
  config.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts = fuzz::parts(fuzz::as_text(data, size));
  std::string text(parts[0]);
  const fuzz::MemoryFile included(parts.size() > 1 ? parts[1] : "");
  if (parts.size() > 1 && !parts[1].empty()) {
    text = "include: " + included.path().string() + "\n" + text;
  }
  std::vector<std::string> overrides;
  for (std::size_t i = 2; i < parts.size(); ++i) overrides.emplace_back(parts[i]);
  fuzz::read([&] {
    const auto first = config::Config::parse(text, "input", overrides);
    read_values(first);
    const auto again = config::Config::parse(first.resolved(), "resolved");
    read_values(again);
    fuzz::require(again.resolved() == first.resolved(), "what was resolved is read back");
  });
  return 0;
}
