// Keys a second of teacher forcing:
//   encode_speed MODEL_FOLDER TSV [DTYPE] [REPEATS] [--device cpu|cuda] [--max-tokens N]
// TSV: source<TAB>target lines. Batches are cut as in the pipeline: sorted by length, sentences ×
// longest side ≤ N (4,000). Threads: OMP_NUM_THREADS. The first round warms up. Of a Marian model
// it also prints the operations a key, without padding, and their share of the rate of large matrix
// products in the same dtype on the same device; and how long host and device were busy with one
// more round, whose operators it counts. GPUs: encode_speed-cuda. encode_speed.py compares with
// transformers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "model/base/dtype.hpp"
#include "model/layers/linear.hpp"
#include "model/load_model.hpp"
#include "program.hpp"
#include "step_trace.hpp"
#include "text/tokenizers/tokenizer.hpp"

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

/// Multiplications and additions of all keys of kind ffn_in, or 0 if the model is not Marian's.
double operations(const std::string& folder, const std::vector<Batch>& batches) {
  const core::Json config = core::read_json(folder + "/config.json");
  if (config.value("model_type", "") != "marian") return 0;
  const auto size = [&](const char* key) { return config.at(key).get<double>(); };
  const double d = size("d_model");
  const double encoder = size("encoder_layers");
  const double decoder = size("decoder_layers");
  double total = 0;
  for (const Batch& batch : batches) {
    for (std::size_t i = 0; i < batch.sources.size(); ++i) {
      const auto s = static_cast<double>(batch.sources[i].size());
      const auto t = static_cast<double>(batch.targets[i].size());
      total += encoder * s * (4 * d * d + 2 * d * size("encoder_ffn_dim") + 2 * s * d);
      total += decoder * (t * (6 * d * d + 2 * s * d + t * d) + s * 2 * d * d);
      total += (decoder - 1) * t * 2 * d * size("decoder_ffn_dim");
    }
  }
  return 2 * total;
}

/// Returns when the device has done all that was asked of it.
void wait_for(const at::Tensor& tensor) { tensor.flatten().slice(0, 0, 1).cpu(); }

/// Operations a second of n³ matrix products, the best of some; on CPUs with a packed matrix, as in
/// models.
double product_rate(at::ScalarType dtype, at::Device device) {
  const std::int64_t n = device.is_cuda() ? 8192 : 1024;
  const auto options = at::TensorOptions(dtype).device(device);
  const at::Tensor a = at::randn({n, n}, at::TensorOptions(device)).to(options.dtype());
  const model::Linear product(
      a, at::zeros({n}, options),
      device.is_cuda() ? model::LinearKernel::fused : model::best_linear_kernel());
  constexpr int at_once = 10;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    wait_for(a);
    const auto start = std::chrono::steady_clock::now();
    at::Tensor made;
    for (int i = 0; i < at_once; ++i) made = product.forward(a);
    wait_for(made);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const auto size = static_cast<double>(n);
    best = std::max(best, at_once * 2 * size * size * size / seconds.count());
  }
  return best;
}

/// Where the time of all batches goes: on a GPU the host only queues them, so if it is busy as long
/// as the device, starting kernels is the limit.
void report_trace(model::TranslationModel& model, const std::vector<Batch>& batches,
                  at::Device device) {
  benchmarks::StepTrace trace(device);
  at::Tensor last;
  {
    const benchmarks::InPart part(&trace, "encoding");
    for (const Batch& batch : batches) {
      last = model.teacher_force(batch.sources, batch.targets, {}).keys;
    }
  }
  const auto found = trace.take().at("encoding");
  const auto each = static_cast<double>(batches.size());
  fmt::print(
      "where {} batches: {:.0f} operators a batch, {:.3f} ms of the host and {:.3f} ms of the "
      "device "
      "a batch\n",
      batches.size(), static_cast<double>(found.calls()) / each, 1e3 * found.host_seconds / each,
      1e3 * found.device_seconds / each);
}

/// Takes "--name value" out of the arguments.
std::map<std::string, std::string> take_options(std::vector<std::string>& arguments) {
  std::map<std::string, std::string> options = {{"--device", "cpu"}, {"--max-tokens", "4000"}};
  for (std::size_t i = 0; i < arguments.size();) {
    if (!options.contains(arguments[i])) {
      ++i;
      continue;
    }
    if (i + 1 == arguments.size()) throw core::InputError(arguments[i], "needs a value");
    options[arguments[i]] = arguments[i + 1];
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.begin() + static_cast<std::ptrdiff_t>(i) + 2);
  }
  return options;
}

void run(const std::vector<std::string>& given) {
  auto arguments = given;
  const auto options = take_options(arguments);
  const at::Device device(options.at("--device"));
  const std::string dtype = arguments.size() > 2 ? arguments[2] : "auto";
  const int repeats = arguments.size() > 3 ? std::stoi(arguments[3]) : 3;
  const auto model = model::load_model(arguments[0], {dtype, {}, device});
  const auto tokenizer = text::load_tokenizer(arguments[0]);
  const auto batches =
      cut(read_pairs(arguments[1], *tokenizer), std::stoull(options.at("--max-tokens")));
  double best = 0;
  std::int64_t keys = 0;
  for (int round = 0; round <= repeats; ++round) {
    const auto start = std::chrono::steady_clock::now();
    keys = 0;
    at::Tensor last;
    for (const Batch& batch : batches) {
      last = model->teacher_force(batch.sources, batch.targets, {}).keys;
      keys += last.size(0);
    }
    if (last.defined()) wait_for(last);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double rate = static_cast<double>(keys) / seconds.count();
    if (round > 0) best = std::max(best, rate);
    fmt::print("{} batches, {} keys, {:.0f} keys/s{}\n", batches.size(), keys, rate,
               round == 0 ? " (warming up)" : "");
    std::fflush(stdout);
  }
  if (!batches.empty()) report_trace(*model, batches, device);
  const double work = operations(arguments[0], batches) / static_cast<double>(keys);
  if (work == 0 || best == 0) return;
  const double rate = product_rate(model::parse_dtype(dtype, device), device);
  fmt::print(
      "best {:.0f} keys/s, {:.1f} MFLOP a key, {:.2f} TFLOP/s: {:.1f} % of the {:.2f} "
      "TFLOP/s of matrix products\n",
      best, work / 1e6, best * work / 1e12, 100 * best * work / rate, rate / 1e12);
}

}  // namespace

int main(int argc, char** argv) {
  return benchmarks::run_program(argc, argv, 2,
                                 "encode_speed MODEL_FOLDER TSV [DTYPE] [REPEATS] "
                                 "[--device cpu|cuda] [--max-tokens N]",
                                 run);
}
