#include "stages/tune/validation.hpp"

#include "comm/agreement.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/open_mixer.hpp"

namespace knnseq::stages {

Validation read_validation(runtime::StageContext& context, const Options& options,
                           MeasuredTexts texts, const std::filesystem::path& folder,
                           Resident& resident) {
  const auto& decoding = options.tune.decoding;
  const auto& general = options.tune.general;
  Validation validation;
  comm::agree(context.comm, [&] {
    validation.tokenizer = open_tokenizer(options);
    validation.model = &resident.model(context, options, decoding, *validation.tokenizer);
  });
  const auto& info = validation.model->info();
  const auto read = [&](const std::filesystem::path& source, const std::filesystem::path& target) {
    return read_held_out_text(
        context, options,
        {source, target, folder / unpacked_text, info.source_positions, info.target_tokens()},
        *validation.tokenizer);
  };
  validation.text = read(decoding.source, *decoding.reference);
  for (const auto& target : validation.text.targets) validation.own_tokens += std::ssize(target);
  if (texts == MeasuredTexts::own || general.source.empty()) return validation;
  auto more = read(general.source, general.reference);
  const auto append = [](auto& all, auto& added) {
    all.insert(all.end(), std::make_move_iterator(added.begin()),
               std::make_move_iterator(added.end()));
  };
  append(validation.text.sources, more.sources);
  append(validation.text.targets, more.targets);
  return validation;
}

core::Json validation_inputs(runtime::StageContext& context, const Options& options,
                             MeasuredTexts texts) {
  const auto& decoding = options.tune.decoding;
  const auto& general = options.tune.general;
  const auto data = check_data(context, options, decoding);
  core::Json inputs = {{"text", fingerprint_files(context, {decoding.source, *decoding.reference})},
                       {"models", core::Json::array()},
                       {"tokenizer", tokenizer_fingerprint(context, options)},
                       {"dtype", decoding.dtype},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads},
                       {"search", search_inputs(context, options, decoding, data)}};
  for (const auto& path : options.models) {
    inputs["models"].push_back(model_fingerprint(context, path));
  }
  if (texts == MeasuredTexts::own_and_general && !general.source.empty()) {
    inputs["general"] = fingerprint_files(context, {general.source, general.reference});
  }
  if (const auto& threshold = decoding.interpolation.threshold) inputs["threshold"] = *threshold;
  return inputs;
}

Options with_breadth(Options options, std::int64_t search_width) {
  (options.tune.subsets() ? options.subset.sentences : options.tune.decoding.search.nprobe) =
      search_width;
  return options;
}

}  // namespace knnseq::stages
