// Keys a second of teacher forcing: encode_speed MODEL_FOLDER TSV [DTYPE] [REPEATS]
// TSV: source<TAB>target lines. Batches are cut as in the pipeline: sorted by length, sentences ×
// longest side ≤ 4,000. Threads: OMP_NUM_THREADS. The first round warms up. encode_speed.py
// compares with transformers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "model/load_model.hpp"
#include "program.hpp"
#include "text/tokenizer.hpp"

namespace {

using namespace knnseq;
using Tokens = std::vector<core::TokenId>;

struct Pair {
  Tokens source;
  Tokens target;
  std::size_t longer() const { return std::max(source.size(), target.size()); }
};

struct Batch {
  std::vector<Tokens> sources;
  std::vector<Tokens> targets;
};

std::vector<Pair> read_pairs(const std::string& path, const text::Tokenizer& tokenizer) {
  std::vector<Pair> pairs;
  const std::string content = core::read_file(path);
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t end = std::min(content.find('\n', at), content.size());
    const std::string line = content.substr(at, end - at);
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) throw core::InputError(path, "a line has no tab");
    Pair pair{tokenizer.encode_source(line.substr(0, tab)),
              tokenizer.encode_target(line.substr(tab + 1))};
    pair.source.push_back(tokenizer.eos());
    pair.target.push_back(tokenizer.eos());
    pairs.push_back(std::move(pair));
    at = end + 1;
  }
  return pairs;
}

std::vector<Batch> cut(std::vector<Pair> pairs, std::size_t max_tokens) {
  std::ranges::stable_sort(pairs, {}, [](const Pair& pair) {
    return std::make_pair(pair.target.size(), pair.source.size());
  });
  std::vector<Batch> batches;
  std::size_t longest = 0;
  for (Pair& pair : pairs) {
    longest = std::max(longest, pair.longer());
    if (batches.empty() || longest * (batches.back().sources.size() + 1) > max_tokens) {
      batches.emplace_back();
      longest = pair.longer();
    }
    batches.back().sources.push_back(std::move(pair.source));
    batches.back().targets.push_back(std::move(pair.target));
  }
  return batches;
}

void run(const std::vector<std::string>& arguments) {
  constexpr std::size_t max_tokens = 4000;
  const int repeats = arguments.size() > 3 ? std::stoi(arguments[3]) : 3;
  const auto model =
      model::load_model(arguments[0], {arguments.size() > 2 ? arguments[2] : "fp32"});
  const auto tokenizer = text::load_tokenizer(arguments[0]);
  const auto batches = cut(read_pairs(arguments[1], *tokenizer), max_tokens);
  for (int round = 0; round <= repeats; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::int64_t keys = 0;
    for (const Batch& batch : batches) {
      keys += model->teacher_force(batch.sources, batch.targets, {}).keys.size(0);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("{} batches, {} keys, {:.0f} keys/s{}\n", batches.size(), keys,
               static_cast<double>(keys) / seconds.count(), round == 0 ? " (warming up)" : "");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run_program(argc, argv, 2, "encode_speed MODEL_FOLDER TSV [DTYPE] [REPEATS]",
                                 run);
}
