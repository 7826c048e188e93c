// Speed of decoding and what a step of it is made of, with and without kNN:
//   step_speed [--model FOLDER] [--device cpu|cuda] [--dtype D] [--entries N] [--sentences N]
//              [--beam N] [--k N] [--nprobe N] [--most PART=N,…]
// Translates the first sentences of the demo's test.tsv as one block, by the code for GPUs, which
// runs on CPUs too, with a datastore of random codes in lists of about 1,200. Its weight is so
// small that the translations are those of the model alone, so both decodings take the same steps.
// Prints tokens a second, then of each part of a step the libtorch operators that compute or copy
// (step_trace.hpp), the host's time and on a GPU the device's. --most: exit code 1 if a part has
// more operators a step than that.
#include <bit>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "comm/self_communicator.hpp"
#include "core/entry_id.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "gpu/collectives.hpp"
#include "index/core/parallel.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "model/load_model.hpp"
#include "obs/resources.hpp"
#include "program.hpp"
#include "retrieval/distributed_search.hpp"
#include "retrieval/knn_mixer.hpp"
#include "search/beam_search.hpp"
#include "step_trace.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace {

using namespace knnseq;
using benchmarks::InPart;
using benchmarks::StepTrace;
using Sentence = std::vector<core::TokenId>;

constexpr std::int64_t kernels_a_scan = 3;  // tables, scan, merge

class TracedModel final : public model::TranslationModel {
 public:
  TracedModel(model::TranslationModel& own, StepTrace*& trace) : own_(own), trace_(trace) {}
  const model::ModelInfo& info() const override { return own_.info(); }
  model::EncodedSource encode(model::Sentences sources) override { return own_.encode(sources); }
  model::TeacherForced teacher_force(model::Sentences sources, model::Sentences targets,
                                     const model::TeacherForcingOptions& options) override {
    return own_.teacher_force(sources, targets, options);
  }
  std::unique_ptr<model::DecoderState> start(const model::EncodedSource& source, std::int64_t beams,
                                             model::KeySpec key) override {
    auto state = own_.start(source, beams, key);
    if (trace_ != nullptr)
      trace_->switch_to("beam");  // whatever follows and is not named otherwise
    return state;
  }
  model::StepOutput step(model::DecoderState& state,
                         std::span<const core::TokenId> tokens) override {
    const InPart part(trace_, "model");
    ++steps;
    return own_.step(state, tokens);
  }
  void reorder(model::DecoderState& state, std::span<const std::int64_t> rows) override {
    own_.reorder(state, rows);
  }

  std::int64_t steps = 0;

 private:
  model::TranslationModel& own_;
  StepTrace*& trace_;
};

class TracedIndex final : public index::LocalIndex {
 public:
  TracedIndex(std::shared_ptr<index::LocalIndex> own, StepTrace*& trace)
      : own_(std::move(own)), trace_(trace) {}
  index::TopK search(const at::Tensor& rotated, const index::Probes& probes,
                     std::int64_t k) const override {
    const InPart part(trace_, "scan");
    if (trace_ != nullptr) trace_->launched("knnseq::scan", kernels_a_scan);
    const auto counted = trace_ != nullptr && own_->device().is_cpu() ? trace_ : nullptr;
    const InPart not_a_gpu(counted, "scan on the CPU");
    return own_->search(rotated, probes, k);
  }
  at::Device device() const override { return own_->device(); }
  std::int64_t entries() const override { return own_->entries(); }
  std::int64_t bytes() const override { return own_->bytes(); }

 private:
  std::shared_ptr<index::LocalIndex> own_;
  StepTrace*& trace_;
};

class TracedSearch final : public retrieval::KnnSearch {
 public:
  TracedSearch(std::unique_ptr<retrieval::KnnSearch> own, StepTrace*& trace)
      : own_(std::move(own)), trace_(trace) {}
  index::TopK search(const at::Tensor& queries, std::span<const std::int64_t> of) override {
    const InPart part(trace_, "probe");
    return own_->search(queries, of);
  }
  void set_options(const retrieval::SearchOptions& options) override { own_->set_options(options); }
  std::int64_t width() const override { return own_->width(); }
  bool collective() const override { return own_->collective(); }
  std::string summary() const override { return own_->summary(); }

 private:
  std::unique_ptr<retrieval::KnnSearch> own_;
  StepTrace*& trace_;
};

/// Options by name, without their dashes.
std::map<std::string, std::string> read_options(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> options = {{"model", "models/demo-de-en"},
                                                {"device", "cpu"},
                                                {"dtype", "auto"},
                                                {"entries", "100000"},
                                                {"sentences", "64"},
                                                {"beam", "5"},
                                                {"k", "32"},
                                                {"nprobe", "16"},
                                                {"most", ""}};
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string name = arguments[i].substr(std::min<std::size_t>(2, arguments[i].size()));
    if (!options.contains(name) || i + 1 == arguments.size()) {
      throw core::InputError(arguments[i], "is not an option, or has no value");
    }
    options[name] = arguments[i + 1];
  }
  return options;
}

std::vector<Sentence> read_sources(const std::filesystem::path& folder, std::size_t count) {
  const auto tokenizer = text::load_tokenizer(folder);
  std::vector<Sentence> sources;
  const std::string content = core::read_file("models/demo-de-en/test.tsv");
  for (std::size_t at = 0; at < content.size() && sources.size() < count;) {
    const std::size_t end = std::min(content.find('\n', at), content.size());
    sources.push_back(tokenizer->encode_source(content.substr(at, content.find('\t', at) - at)));
    sources.back().push_back(tokenizer->eos());
    at = end + 1;
  }
  return sources;
}

/// OPQ32_128,IVF…,PQ32 of random numbers.
index::Codebook random_codebook(std::int64_t width, std::int64_t entries) {
  const auto nlist = static_cast<std::int64_t>(
      std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(entries / 1200, 32))));
  index::Codebook codebook;
  codebook.spec = index::parse_index_spec(fmt::format("OPQ32_128,IVF{},PQ32", nlist), width, "l2");
  const auto normal = [](at::IntArrayRef shape) { return at::randn(shape, at::kFloat); };
  codebook.rotation = normal({128, width}) / std::sqrt(static_cast<double>(width));
  codebook.coarse_centroids = normal({nlist, 128});
  codebook.pq_centroids = normal({32, 256, 4});
  return codebook;
}

void fill(index::ListIndex& index, const std::vector<std::int64_t>& sizes,
          std::int64_t vocabulary) {
  index::parallel_for(std::ssize(sizes), [&](std::int64_t list) {
    core::Random random(static_cast<std::uint64_t>(list));
    const std::int64_t size = sizes[list];
    std::vector<std::uint8_t> codes(size * 32);
    for (std::uint8_t& byte : codes) byte = static_cast<std::uint8_t>(random.below(256));
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < size; ++i) {
      ids.push_back(core::pack_entry_id(static_cast<core::TokenId>(random.below(vocabulary)),
                                        sizes[0] * list + i));
    }
    index.append(list, codes, ids);
  });
  index.finish();
}

std::shared_ptr<index::LocalIndex> random_index(const index::Codebook& codebook,
                                                std::int64_t entries, std::int64_t vocabulary,
                                                at::Device device) {
  const std::int64_t nlist = codebook.spec.nlist;
  const std::vector<std::int64_t> sizes(nlist, std::max<std::int64_t>(entries / nlist, 1));
  std::shared_ptr<index::ListIndex> index;
  if (device.is_cuda()) {
    index = std::make_shared<index::IvfPqScanTorch>(
        codebook, sizes, gpu::make_scan_launcher({true, 0}), index::ScanOptionsTorch{});
  } else {
    index = std::make_shared<index::IvfPqScan>(codebook, sizes);
  }
  fill(*index, sizes, vocabulary);
  return index;
}

/// Prints the parts; false if one has more operators than `most` says.
bool report(const std::string& name, const std::map<std::string, benchmarks::StepPart>& parts,
            double steps, const std::string& most) {
  bool within = true;
  double sum = 0;
  for (const auto& [part, found] : parts) {
    if (part == "the rest" || part == "scan on the CPU")
      continue;  // the rest: encoding the sources
    const auto to = found.operators.find("aten::to");
    const double copies =
        (to == found.operators.end() ? 0 : static_cast<double>(to->second)) / steps;
    const double calls = static_cast<double>(found.calls()) / steps - copies;
    sum += calls;
    fmt::print(
        "where {}, {}: {:.1f} operators a step and {:.1f} times `to`; {:.3f} ms of the host, "
        "{:.3f} ms of the device a step\n",
        name, part, calls, copies, 1e3 * found.host_seconds / steps,
        1e3 * found.device_seconds / steps);
    fmt::print("   ");
    for (const auto& [op, count] : found.operators) {
      fmt::print(" {} {:.1f},", op, static_cast<double>(count) / steps);
    }
    fmt::print("\n");
    const auto at = most.find(part + "=");
    if (at == std::string::npos) continue;
    const double limit = std::stod(most.substr(at + part.size() + 1));
    if (calls <= limit) continue;
    fmt::print("{}, {}: more than {} operators a step\n", name, part, limit);
    within = false;
  }
  fmt::print("figure operators a step {} = {:.1f}\n", name, sum);
  return within;
}

void run(const std::vector<std::string>& arguments) {
  const auto options = read_options(arguments);
  const auto number = [&](const char* name) { return std::stoll(options.at(name)); };
  const at::Device device(options.at("device"));
  if (device.is_cuda() && gpu::visible_devices().empty()) {
    throw std::runtime_error("this machine has no GPU");
  }
  const c10::InferenceMode no_gradients;
  at::manual_seed(1);
  StepTrace* trace = nullptr;
  const auto own = model::load_model(
      options.at("model"), {.dtype = options.at("dtype"),
                            .device = device.is_cuda() ? at::Device(at::kCUDA, 0) : device,
                            .path = gpu::ComputePath::torch});
  TracedModel traced(*own, trace);
  const auto sources = read_sources(options.at("model"), number("sentences"));
  const auto& info = own->info();
  const auto codebook = random_codebook(info.width, number("entries"));
  const auto self = comm::make_self_communicator();
  const auto there = device.is_cuda() ? at::Device(at::kCUDA, 0) : device;
  std::vector<std::unique_ptr<retrieval::KnnSearch>> searches;
  searches.push_back(std::make_unique<TracedSearch>(
      std::make_unique<retrieval::DistributedSearch>(
          *self, codebook,
          std::make_shared<TracedIndex>(
              random_index(codebook, number("entries"), info.vocab_size, there), trace),
          retrieval::SearchOptions{.k = number("k"), .nprobe = number("nprobe")},
          retrieval::SearchDevice{there, gpu::make_host_collectives(*self),
                                  gpu::ComputePath::torch}),
      trace));
  retrieval::MixingOptions mixing;
  mixing.lambda = 1e-6F;
  retrieval::KnnMixer mixer(std::move(searches), retrieval::make_mixing_policy(mixing),
                            gpu::ComputePath::torch);
  search::BeamOptions beam;
  beam.beam = static_cast<int>(number("beam"));
  beam.path = gpu::ComputePath::torch;
  const search::KnnStep knn = [&](const search::KnnQueries& asked, at::Tensor& log_probs) {
    const InPart part(trace, "mix");
    mixer.mix(asked.vectors, asked.sentences, log_probs);
  };

  bool within = true;
  for (const bool with_knn : {false, true}) {
    const std::string name = with_knn ? "with kNN" : "without kNN";
    const auto translate = [&] {
      const auto made =
          search::beam_search(traced, sources, beam, with_knn ? knn : search::KnnStep());
      mixer.check();
      std::int64_t tokens = 0;
      for (const auto& nbest : made) tokens += std::ssize(nbest.front().tokens);
      return static_cast<double>(tokens);
    };
    double best = 0;
    for (int round = 0; round < 3; ++round) {  // the first warms up
      const obs::Stopwatch watch;
      const double tokens = translate();
      if (round > 0) best = std::max(best, tokens / watch.seconds());
    }
    fmt::print("{}: {:.0f} tokens/s\n", name, best);
    traced.steps = 0;
    StepTrace own_trace(there);
    trace = &own_trace;
    translate();
    const auto parts = own_trace.take();
    trace = nullptr;
    within = report(name, parts, static_cast<double>(traced.steps), options.at("most")) && within;
  }
  if (!within) throw std::runtime_error("a step has more operators than --most allows");
}

}  // namespace

int main(int argc, char** argv) {
  return knnseq::benchmarks::run_program(argc, argv, 0, "step_speed [--NAME VALUE …]", run);
}
