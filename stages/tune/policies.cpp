#include "stages/tune/policies.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "retrieval/mixing/policy_training.hpp"
#include "runtime/long_work.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/tune/forced_tokens.hpp"
#include "stages/tune/validation.hpp"

namespace knnseq::stages {

namespace {

using retrieval::PolicyKind;

constexpr const char* result_file = "policies.json";
constexpr const char* gate_file = "gate.safetensors";
constexpr const char* gate_result = "gate.json";

std::string network_file(PolicyKind policy) {
  return std::string(core::name_of(policy)) + ".safetensors";
}

/// Of the true tokens, mean, with one T for all.
double log_likelihood(const retrieval::PolicyExamples& examples, const at::Tensor& lambda,
                      double temperature) {
  return -retrieval::mixture_loss({lambda, retrieval::shares_of(examples.features, temperature)},
                                  examples)
              .item<double>();
}

TunedPolicy fit(PolicyKind policy, const retrieval::PolicyExamples& examples,
                const TunedSetting& setting, const std::vector<float>& temperatures,
                const std::filesystem::path& folder) {
  TunedPolicy tuned{.policy = policy, .temperature = setting.temperature};
  if (retrieval::is_learned(policy)) {
    const auto trained = retrieval::train_policy(policy, examples, setting.temperature, {});
    trained.network.save(folder / network_file(policy));
    tuned.epochs = trained.epochs;
    tuned.held_out_log_likelihood = -trained.loss;
    return tuned;
  }
  const auto held_out = examples.at(at::nonzero(examples.held_out).flatten());
  const at::Tensor nearest = held_out.features.distances.select(1, 0);
  at::Tensor lambda;
  if (policy == PolicyKind::distance) {
    const auto found = retrieval::fit_distance_policy(examples, temperatures);
    tuned.temperature = found.temperature;
    tuned.tau = std::stod(fmt::format("{:.4g}", found.tau));
    lambda = retrieval::distance_lambda(nearest, tuned.tau);
  } else {
    tuned.lambda = plain_number(setting.lambda);
    lambda = at::full_like(nearest, setting.lambda);
  }
  tuned.held_out_log_likelihood = log_likelihood(held_out, lambda, tuned.temperature);
  tuned.temperature = plain_number(static_cast<float>(tuned.temperature));
  return tuned;
}

TunedPolicies policies_from(const std::string& file, const core::Json& json,
                            const std::filesystem::path& folder) {
  TunedPolicies result;
  core::read_fields(file, [&] {
    json.at("tokens").get_to(result.tokens);
    json.at("held_out_tokens").get_to(result.held_out);
    json.at("base_log_likelihood").get_to(result.model);
    for (const auto& item : json.at("policies")) {
      const auto policy = core::value_named<PolicyKind>(item.at("policy").get<std::string>());
      if (!policy) throw core::InputError(file, "names a policy that there is not");
      TunedPolicy tuned{.policy = *policy};
      item.at("log_likelihood").get_to(tuned.held_out_log_likelihood);
      if (retrieval::is_learned(*policy)) {
        item.at("epochs").get_to(tuned.epochs);
        tuned.network = folder / network_file(*policy);
      } else {
        item.at("temperature").get_to(tuned.temperature);
        item.at(*policy == PolicyKind::distance ? "tau" : "lambda")
            .get_to(*policy == PolicyKind::distance ? tuned.tau : tuned.lambda);
      }
      result.policies.push_back(std::move(tuned));
    }
  });
  return result;
}

/// The examples, and how many of them are of tune.reference.
std::pair<retrieval::PolicyExamples, std::int64_t> read_examples(
    runtime::StageContext& context, const Options& options, const std::filesystem::path& folder,
    Resident& resident) {
  const auto validation =
      read_validation(context, options, MeasuredTexts::own_and_general, folder, resident);
  const auto data = check_data(context, options, options.tune.decoding);
  auto mixer = open_mixer(context, options, options.tune.decoding, data, resident);
  return {gather_examples(context, options, validation.text,
                          {*validation.model, *validation.tokenizer}, mixer),
          validation.own_tokens};
}

runtime::StageOutcome fit_all(runtime::StageContext& context, const Options& options,
                              const TunedSetting& setting, const std::filesystem::path& folder,
                              Resident& resident) {
  const auto examples = read_examples(context, options, folder, resident).first;
  runtime::StageOutcome outcome{core::Json::object(), {"tokens", 0, 0}};
  runtime::agree_on_long_work(context, [&] {
    if (!context.comm.is_root()) return;
    outcome.work.items = examples.count();
    TunedPolicies result;
    result.tokens = examples.count();
    const auto held_out = examples.at(at::nonzero(examples.held_out).flatten());
    result.held_out = held_out.count();
    if (result.held_out == 0) {
      throw core::InputError("tune.source", "has fewer than five sentences: too few for policies");
    }
    result.model = held_out.log_prob.mean().item<double>();
    const std::vector<float> temperatures = {options.tune.temperature.begin(),
                                             options.tune.temperature.end()};
    std::vector<std::string> files = {result_file};
    for (const auto policy : options.tune.policies) {
      result.policies.push_back(fit(policy, examples, setting, temperatures, folder));
      if (retrieval::is_learned(policy)) files.push_back(network_file(policy));
    }
    core::write_file_durably(folder / result_file, to_json(result).dump(1) + "\n");
    outcome.content["files"] = runtime::describe_files(folder, files);
  });
  return outcome;
}

/// What the policy's mixture gives the true tokens, [n].
at::Tensor mixed_log_probs(const retrieval::PolicyExamples& examples,
                           const retrieval::MixingOptions& mixing) {
  constexpr std::int64_t piece = 2048;  // bounds [n, K, H]
  std::optional<retrieval::PolicyNetwork> network;
  if (retrieval::is_learned(mixing.policy)) {
    network = retrieval::PolicyNetwork::load(mixing.network, mixing.policy);
  }
  std::vector<at::Tensor> parts;
  for (const at::Tensor& places : at::arange(examples.count(), at::kLong).split(piece)) {
    const auto some = examples.at(places);
    retrieval::NeighbourWeights weights;
    if (network) {
      weights = network->weigh(some.features);
    } else {
      const at::Tensor nearest = some.features.distances.select(1, 0);
      weights = {mixing.policy == PolicyKind::distance
                     ? retrieval::distance_lambda(nearest, mixing.tau)
                     : at::full_like(nearest, mixing.lambda),
                 retrieval::shares_of(some.features, mixing.temperature)};
    }
    parts.push_back(retrieval::mixed_log_prob(weights, some));
  }
  return at::cat(parts);
}

runtime::StageOutcome fit_gate(runtime::StageContext& context, const Options& options,
                               const retrieval::MixingOptions& mixing,
                               const std::filesystem::path& folder, Resident& resident) {
  const auto [examples, own] = read_examples(context, options, folder, resident);
  runtime::StageOutcome outcome{core::Json::object(), {"tokens", examples.count(), 0}};
  runtime::agree_on_long_work(context, [&, &all = examples, count = own] {
    if (!context.comm.is_root()) return;
    const auto gate = retrieval::train_gate(all, mixed_log_probs(all, mixing), {});
    gate.save(folder / gate_file);
    const at::Tensor expected = std::get<0>(
        gate.logits(all.features.queries.narrow(0, 0, count), all.features.best.narrow(0, 0, count))
            .sigmoid()
            .sort());
    core::Json settings = core::Json::array();
    for (const double share : options.tune.skip) {
      const auto place = static_cast<std::int64_t>(share * static_cast<double>(count));
      const auto skip = expected[std::min(place, count - 1)].item<float>();
      settings.push_back({{"share", share}, {"skip", plain_number(skip)}});
    }
    core::write_file_durably(folder / gate_result, settings.dump(1) + "\n");
    outcome.content["files"] = runtime::describe_files(folder, {gate_file, gate_result});
  });
  return outcome;
}

}  // namespace

void TunedPolicy::apply_to(retrieval::MixingOptions& mixing) const {
  mixing.policy = policy;
  mixing.temperature = static_cast<float>(temperature);
  mixing.lambda = static_cast<float>(lambda);
  mixing.tau = static_cast<float>(tau);
  mixing.network = network;
}

core::Json to_json(const TunedPolicies& policies) {
  core::Json items = core::Json::array();
  for (const auto& tuned : policies.policies) {
    core::Json item = {{"policy", core::name_of(tuned.policy)},
                       {"log_likelihood", tuned.held_out_log_likelihood}};
    if (retrieval::is_learned(tuned.policy)) {
      item["epochs"] = tuned.epochs;
    } else {
      item["temperature"] = tuned.temperature;
      if (tuned.policy == PolicyKind::distance) item["tau"] = tuned.tau;
      if (tuned.policy == PolicyKind::fixed) item["lambda"] = tuned.lambda;
    }
    items.push_back(std::move(item));
  }
  return {{"tokens", policies.tokens},
          {"held_out_tokens", policies.held_out},
          {"base_log_likelihood", policies.model},
          {"policies", items}};
}

TunedPolicies tune_policies(runtime::StageContext& context, const Options& options,
                            const TunedSetting& setting, const std::filesystem::path& folder,
                            Resident& resident) {
  core::Json inputs = validation_inputs(context, options, MeasuredTexts::own_and_general);
  inputs.update({{"k", setting.k},
                 {"temperature", plain_number(setting.temperature)},
                 {"lambda", plain_number(setting.lambda)},
                 {options.tune.breadth_name(), setting.search_width},
                 {"temperatures", options.tune.temperature},
                 {"policies", core::Json::array()}});
  std::vector<std::string> files = {result_file, unpacked_text + std::string("/")};
  for (const auto policy : options.tune.policies) {
    inputs["policies"].push_back(core::name_of(policy));
    if (retrieval::is_learned(policy)) files.push_back(network_file(policy));
  }
  runtime::run_stage(context,
                     {"tune-policies", folder, inputs,
                      [&] { return fit_all(context, options, setting, folder, resident); }, files});
  TunedPolicies tuned;
  comm::agree(context.comm, [&] {
    const auto manifest = runtime::require_manifest(folder, "tune-policies", "tune");
    const auto file = runtime::require_file(folder, manifest, result_file, "tune");
    tuned = policies_from(file, core::read_json(file), folder);
    for (const auto& policy : tuned.policies) {
      if (policy.network.empty()) continue;
      runtime::require_file(folder, manifest, network_file(policy.policy), "tune");
    }
  });
  return tuned;
}

TunedGate tune_gate(runtime::StageContext& context, const Options& options,
                    const retrieval::MixingOptions& mixing, const std::filesystem::path& folder,
                    Resident& resident) {
  core::Json inputs = validation_inputs(context, options, MeasuredTexts::own_and_general);
  comm::agree(context.comm, [&] { inputs["mixing"] = mixing.inputs(); });
  inputs["skip"] = options.tune.skip;
  runtime::run_stage(context, {"tune-gate",
                               folder,
                               inputs,
                               [&] { return fit_gate(context, options, mixing, folder, resident); },
                               {gate_file, gate_result, unpacked_text + std::string("/")}});
  TunedGate tuned;
  comm::agree(context.comm, [&] {
    const auto manifest = runtime::require_manifest(folder, "tune-gate", "tune");
    tuned.file = runtime::require_file(folder, manifest, gate_file, "tune");
    const auto file = runtime::require_file(folder, manifest, gate_result, "tune");
    const core::Json json = core::read_json(file);
    core::read_fields(file, [&] {
      for (const auto& item : json) {
        tuned.settings.push_back({item.at("share").get<double>(), item.at("skip").get<double>()});
      }
    });
  });
  return tuned;
}

}  // namespace knnseq::stages
