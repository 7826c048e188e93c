#include "stages/merge/take_over.hpp"

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/own_files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/manifests.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

/// What is there under its name is whole: copies get it when they are.
void link_or_copy(const fs::path& from, const fs::path& to) {
  if (fs::exists(to)) return;
  std::error_code error;
  fs::create_hard_link(fs::canonical(from), to, error);
  if (!error) return;
  core::publish_file(to, [&](const fs::path& temporary) {
    std::error_code failure;
    fs::copy_file(from, temporary, failure);
    if (failure) throw core::SystemError("copy", from, failure.value());
  });
}

/// Links what the manifest lists, this rank its share of the shards. Returns how many bytes.
std::int64_t link_files(const runtime::StageContext& context, const StageRef& from,
                        const StageRef& to, const store::Manifest& manifest) {
  const auto begun = runtime::begun_identity(to.folder);
  const auto shards = manifest.content.value("shards", core::Json::object());
  const auto rank_of = [&](const std::string& shard) {
    return shards.contains(shard) ? runtime::shard_number(shard) % context.comm.size() : 0;
  };
  std::int64_t bytes = 0;
  for (const auto& [name, facts] : manifest.content_fields().at("files").members()) {
    const fs::path file = name;
    const auto shard = file.stem().string();
    if (rank_of(shard) != context.comm.rank()) continue;
    const auto size = facts.at("bytes").number(0, std::numeric_limits<std::int64_t>::max());
    std::error_code missing;
    if (std::cmp_not_equal(fs::file_size(from.folder / name, missing), size) || missing) {
      throw core::InputError(from.folder / name, "is missing or has another size");
    }
    bytes += size;
    const bool sealed = shards.contains(shard) && file.extension() == ".json";
    if (!sealed) link_or_copy(from.folder / name, to.folder / name);
  }
  for (const auto& [name, facts] : shards.items()) {  // now that their files are there
    if (rank_of(name) != context.comm.rank() || facts.is_object()) continue;
    const auto shard = runtime::shard_number(name);
    runtime::write_begun_shard_manifest(to.folder, begun, shard,
                                        runtime::read_shard_manifest(from.folder, shard));
  }
  core::sync_folder(to.folder);
  return bytes;
}

}  // namespace

void take_over(runtime::StageContext& context, const StageRef& from, const StageRef& to,
               const core::Json& inputs) {
  const auto manifest = read_on_root(context, from, [](const store::Manifest&) {});
  core::Json all = manifest.inputs;
  all.update(inputs);
  std::vector<std::string> files;
  for (const auto& [name, facts] : manifest.content_fields().at("files").members()) {
    files.push_back(name);
  }
  runtime::run_stage(context, {to.stage, to.folder, all,
                               [&] {
                                 runtime::StageOutcome outcome{manifest.content, {"bytes", 0, 0}};
                                 comm::agree(context.comm, [&] {
                                   outcome.work.items = outcome.work.bytes =
                                       link_files(context, from, to, manifest);
                                 });
                                 return outcome;
                               },
                               files});
}

}  // namespace knnseq::stages
