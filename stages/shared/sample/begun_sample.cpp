#include "stages/shared/sample/begun_sample.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::stages {

SampleSpec begun_sample(runtime::StageContext& context, const Options& options,
                        const CorpusPaths& paths) {
  const auto path = paths.datastore / sample_name;
  const SampleSpec& wanted = options.datastore.sample;
  std::string begun = wanted.to_json().dump();
  comm::on_root(context.comm, [&] {
    const auto owner = runtime::begun_identity(paths.datastore) + "/sample";
    if (std::filesystem::exists(path)) {
      begun = store::read_sealed(path, owner).dump();
    } else {
      store::write_sealed(path, owner, wanted.to_json());
    }
  });
  const auto sample =
      SampleSpec::from_json(core::Json::parse(context.comm.broadcast_string(begun)));
  if (sample == wanted) return sample;
  comm::agree(context.comm, [&] {
    if (options.datastore.store == KeyStore::keys) return;
    throw core::InputError(
        paths.datastore,
        fmt::format("was begun with another sample ({} entries, seed {}, by {}), beside which "
                    "datastore.store: none leaves no keys; set it back, or start over with --force",
                    sample.size, sample.seed, core::name_of(sample.unit)));
  });
  context.log.info(
      fmt::format("the training sample written aside stays the one that this datastore was begun "
                  "with ({} entries, seed {}); train finds the config's",
                  sample.size, sample.seed));
  return sample;
}

void remove_begun_sample(runtime::StageContext& context, const CorpusPaths& paths) {
  comm::on_root(context.comm, [&] { std::filesystem::remove(paths.datastore / sample_name); });
}

}  // namespace knnseq::stages
