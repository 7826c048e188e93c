#include "stages/tune/likelihoods.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/json_field.hpp"
#include "index/core/top_k.hpp"
#include "retrieval/mixing/likelihood_grid.hpp"

namespace knnseq::stages {

namespace {

float rounded(double value) { return std::stof(fmt::format("{:.1e}", value)); }

/// Mean of (last − first distance) over all ranks' queries that have neighbours.
double spread_of(comm::Communicator& comm, const index::TopK& neighbours) {
  constexpr double unit = 0x1p-10;  // sums of whole numbers do not depend on the ranks
  std::int64_t sum = 0, count = 0;
  for (std::int64_t query = 0; query < neighbours.queries(); ++query) {
    const auto [distances, ids] = neighbours.row(query);
    const auto found = std::find(ids.begin(), ids.end(), index::missing_id) - ids.begin();
    if (found == 0) continue;
    const double last = distances[static_cast<std::size_t>(found) - 1];
    sum += std::llround((last - distances.front()) / unit);
    ++count;
  }
  sum = comm.all_reduce(sum, comm::Reduction::sum);
  count = comm.all_reduce(count, comm::Reduction::sum);
  return count == 0 ? 0 : static_cast<double>(sum) * unit / static_cast<double>(count);
}

std::vector<float> temperatures(comm::Communicator& comm, const TuneOptions& options,
                                const index::TopK& neighbours) {
  if (!options.temperature.empty()) {
    return {options.temperature.begin(), options.temperature.end()};
  }
  const double spread = spread_of(comm, neighbours);
  comm::agree(comm, [&] {
    if (spread > 0) return;
    throw core::InputError("tune.temperature",
                           "must be given: the neighbours of each query are all equally near");
  });
  std::vector<float> result;
  for (int power = -4; power <= 3; ++power) result.push_back(rounded(std::ldexp(spread, power)));
  return result;
}

}  // namespace

std::string TunedSetting::name(const std::string& breadth_name) const {
  return fmt::format("k{}-T{:g}-lambda{:g}-{}{}", k, temperature, lambda, breadth_name,
                     search_width);
}

const TunedSetting& Likelihoods::at(std::size_t breadth_at, std::size_t k_at,
                                    std::size_t temperature_at, std::size_t lambda_at) const {
  const std::size_t row = (breadth_at * k.size() + k_at) * temperature.size() + temperature_at;
  return settings.at(row * lambda.size() + lambda_at);
}

std::vector<TunedSetting> Likelihoods::best(std::size_t count) const {
  auto sorted = settings;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    if (a.log_likelihood != b.log_likelihood) return a.log_likelihood > b.log_likelihood;
    return a.lambda < b.lambda;
  });
  std::map<std::int64_t, std::size_t> of_k;  // how many of a k came before
  std::vector<std::pair<std::size_t, TunedSetting>> ranked;
  ranked.reserve(sorted.size());
  for (const auto& setting : sorted) ranked.emplace_back(of_k[setting.k]++, setting);
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  ranked.resize(std::min(count, ranked.size()));
  std::vector<TunedSetting> chosen;
  chosen.reserve(ranked.size());
  for (const auto& [rank, setting] : ranked) chosen.push_back(setting);
  return chosen;
}

double plain_number(float value) { return std::stod(fmt::format("{}", value)); }

core::Json to_json(const Likelihoods& likelihoods) {
  core::Json values = core::Json::array();
  for (const auto& setting : likelihoods.settings) values.push_back(setting.log_likelihood);
  const auto plain = [](const std::vector<float>& floats) {
    core::Json numbers = core::Json::array();
    for (const float value : floats) numbers.push_back(plain_number(value));
    return numbers;
  };
  return {{"k", likelihoods.k},
          {"breadth", likelihoods.breadth_name},
          {likelihoods.breadth_name, likelihoods.search_width},
          {"temperature", plain(likelihoods.temperature)},
          {"lambda", plain(likelihoods.lambda)},
          {"tokens", likelihoods.tokens},
          {"base_log_likelihood", likelihoods.base},
          {"log_likelihoods", values}};
}

Likelihoods likelihoods_from(const std::string& file, const core::Json& json) {
  Likelihoods result;
  std::vector<double> values;
  core::read_fields(file, [&] {
    json.at("breadth").get_to(result.breadth_name);
    json.at("k").get_to(result.k);
    json.at(result.breadth_name).get_to(result.search_width);
    json.at("temperature").get_to(result.temperature);
    json.at("lambda").get_to(result.lambda);
    json.at("tokens").get_to(result.tokens);
    json.at("base_log_likelihood").get_to(result.base);
    json.at("log_likelihoods").get_to(values);
  });
  if (values.size() != result.search_width.size() * result.k.size() * result.temperature.size() *
                           result.lambda.size()) {
    throw core::InputError(file, "does not have a likelihood for each setting");
  }
  auto value = values.begin();
  for (const auto search_width : result.search_width) {
    for (const auto k : result.k) {
      for (const auto temperature : result.temperature) {
        for (const auto lambda : result.lambda) {
          result.settings.push_back({k, temperature, lambda, search_width, *value++});
        }
      }
    }
  }
  return result;
}

Likelihoods measure_likelihoods(comm::Communicator& comm, const TuneOptions& options,
                                const ForcedTokens& forced,
                                const std::vector<index::TopK>& neighbours,
                                const retrieval::EntryWeights& weights) {
  const retrieval::SettingsGrid settings{options.k,
                                         temperatures(comm, options, neighbours.front()),
                                         {options.lambda.begin(), options.lambda.end()},
                                         options.decoding.interpolation.threshold};
  Likelihoods result{.breadth_name = options.breadth_name(),
                     .k = settings.k,
                     .search_width = options.breadths(),
                     .temperature = settings.temperature,
                     .lambda = settings.lambda};
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    retrieval::LikelihoodGrid grid(settings);
    const at::Tensor log_weights = weights.of(neighbours[i]);
    const auto row_of_weights = [&](std::size_t token) {
      if (!log_weights.defined()) return std::span<const float>();
      const auto k = static_cast<std::size_t>(log_weights.size(1));
      return std::span(log_weights.const_data_ptr<float>() + token * k, k);
    };
    for (std::size_t token = 0; token < forced.tokens.size(); ++token) {
      grid.add(forced.tokens[token], forced.log_probs[token],
               neighbours[i].row(static_cast<std::int64_t>(token)), row_of_weights(token));
    }
    grid.reduce(comm);
    result.tokens = grid.tokens();
    result.base = grid.base_log_likelihood();
    for (std::size_t at = 0; at < settings.size(); ++at) {
      const std::size_t lambdas = settings.lambda.size();
      const std::size_t temperatures = settings.temperature.size();
      const retrieval::GridPoint point{at / lambdas / temperatures, at / lambdas % temperatures,
                                       at % lambdas};
      result.settings.push_back({settings.k[point.k], settings.temperature[point.temperature],
                                 settings.lambda[point.lambda], result.search_width[i],
                                 grid.log_likelihood(point)});
    }
  }
  return result;
}

}  // namespace knnseq::stages
