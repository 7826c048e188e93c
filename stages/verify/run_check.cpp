#include "stages/verify/run_check.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "index/train/train_state.hpp"
#include "runtime/shard_jobs.hpp"
#include "store/hdf5_structure.hpp"
#include "store/journal.hpp"
#include "store/sealed_json.hpp"
#include "store/shard_file.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

Lines check_file(const fs::path& path, const core::Json& facts) {
  if (!fs::exists(path)) return {path.string() + ": does not exist"};
  const auto size = fs::file_size(path);
  if (facts.at("bytes") != size) {
    return {fmt::format("{}: is damaged: it has {} bytes instead of {}", path.string(), size,
                        facts.at("bytes").dump())};
  }
  if (facts.at("fingerprint") == core::fingerprint_file(path)) return {};
  return {fmt::format("{}: is damaged: its bytes 0 to {} do not match their checksum",
                      path.string(), size - 1)};
}

Lines check_rows(const fs::path& path, const core::Json& facts) {
  store::verify_structure(path, facts.at("structure"));
  return store::damaged_rows(path, facts.at("units"));
}

Lines check_shard(const fs::path& folder, const std::string& name, const core::Json& manifest) {
  if (manifest.contains("units")) return check_rows(folder / (name + ".h5"), manifest);
  const auto path = folder / (name + ".faiss");
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return check_file(path,
                    {{"bytes", error ? 0 : size}, {"fingerprint", manifest.at("fingerprint")}});
}

Lines check_checkpoint(const fs::path& path) {
  const auto content = core::read_file(path);
  try {
    index::train_state_from(std::as_bytes(std::span(content)));
  } catch (const core::InputError& e) {
    return {path.string() + ": " + e.what()};
  }
  return {};
}

}  // namespace

Lines run_check(const fs::path& run_dir, const Check& check) {
  const fs::path folder = run_dir / check.folder;
  const auto shard = [&] { return runtime::shard_number(check.name); };
  try {
    switch (check.kind) {
      case CheckKind::known_damage:
        return {check.name};
      case CheckKind::known_good:
        return {};
      case CheckKind::file:
        return check_file(folder / check.name, check.facts);
      case CheckKind::rows:
        return check_rows(folder / check.name, check.facts);
      case CheckKind::shard:
        return check_shard(folder, check.name, runtime::read_shard_manifest(folder, shard()));
      case CheckKind::begun_shard:
        return store::ShardFile::damages({folder, check.name, check.facts});
      case CheckKind::finished_shard:
        return check_shard(folder, check.name,
                           runtime::read_begun_shard_manifest(folder, check.facts, shard()));
      case CheckKind::journal:
        store::Journal::read(folder / check.name, check.facts);
        return {};
      case CheckKind::sample:
        store::read_sealed(folder / check.name, check.facts.get<std::string>() + "/sample");
        return {};
      case CheckKind::checkpoint:
        return check_checkpoint(folder / check.name);
    }
  } catch (const core::Error& e) {
    return {e.what()};
  }
  return {};
}

}  // namespace knnseq::stages
