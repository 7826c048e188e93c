#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "runtime/lock_holder.hpp"
#include "runtime/run_directory.hpp"
#include "runtime/stage_folder.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::runtime;
using Catch::Matchers::Contains;
using Use = RunDirectoryUse;
namespace fs = std::filesystem;

namespace {
void require_run_directory(const fs::path& run_dir, Use use) {
  runtime::require_run_directory(run_dir, use, {"corpus", "append", "decode", "tune"});
}
}  // namespace

TEST_CASE("a missing or empty folder may become a run directory, and has to be one to be read") {
  test::TemporaryFolder folder;
  for (const auto& run_dir : {folder / "none", folder.path()}) {
    CHECK_NOTHROW(require_run_directory(run_dir, Use::write));
    CHECK_THROWS_WITH(require_run_directory(run_dir, Use::read), Contains("holds no stage's work"));
  }
  CHECK_FALSE(fs::exists(folder / "none"));
  fs::create_directory(folder / "lost+found");
  folder.write("lock", "");
  folder.write("knnseq-run.json.tmp", "half");
  CHECK_NOTHROW(require_run_directory(folder.path(), Use::write));
  folder.write("lock", to_json(this_process(0)).dump());
  CHECK_NOTHROW(require_run_directory(folder.path(), Use::write));
  folder.write("lock", "dpkg");
  CHECK_THROWS_WITH(require_run_directory(folder.path(), Use::write), Contains("it holds 'lock'"));
}

TEST_CASE("a folder that holds something else is refused by name") {
  test::TemporaryFolder folder;
  const auto file = folder.write("law.de", "Text\n");
  for (const auto use : {Use::read, Use::write}) {
    CHECK_THROWS_AS(require_run_directory(folder.path(), use), core::InputError);
    CHECK_THROWS_WITH(require_run_directory(folder.path(), use),
                      Contains(folder.path().string() + ": is not a run directory of knnseq: it "
                                                        "holds 'law.de'"));
    CHECK_THROWS_WITH(require_run_directory(file, use), Contains("law.de: is not a folder"));
  }
}

TEST_CASE("a name that the system does not take is refused by name") {
  test::TemporaryFolder folder;
  const auto name = std::string(300, 'x');
  CHECK_THROWS_AS(require_run_directory(folder / name, Use::write), core::InputError);
  CHECK_THROWS_WITH(require_run_directory(folder / name, Use::write),
                    Contains(name + ": cannot be run_dir (File name too long)"));
}

TEST_CASE("a marked folder is a run directory, whatever else it holds") {
  test::TemporaryFolder folder;
  mark_run_directory(folder.path());
  folder.write("notes.txt", "x");
  CHECK_NOTHROW(require_run_directory(folder.path(), Use::read));
  const auto before = core::read_file(folder / marker_name);
  mark_run_directory(folder.path());
  CHECK(core::read_file(folder / marker_name) == before);
  for (const char* other : {"", "[]", "{}", R"({"program":"x","holds":"run directory","format":1})",
                            R"({"program":"knnseq","holds":"run directory"})"}) {
    folder.write(marker_name, other);
    CHECK_THROWS_WITH(require_run_directory(folder.path(), Use::write), Contains(marker_name));
  }
  folder.write(marker_name, R"({"program":"knnseq","holds":"run directory","format":2})");
  CHECK_THROWS_WITH(require_run_directory(folder.path(), Use::write), Contains("says format 2"));
  folder.write("elsewhere", before);
  fs::remove(folder / marker_name);
  fs::create_symlink(folder / "elsewhere", folder / marker_name);
  CHECK_THROWS_WITH(require_run_directory(folder.path(), Use::write), Contains("symbolic link"));
}

TEST_CASE("what an earlier version has made is known by a stage's record where stages keep them") {
  const std::string stage =
      GENERATE("corpus", "append/news/measure", "decode/base", "tune/likelihoods");
  test::TemporaryFolder folder;
  folder.write("notes.txt", "x");
  const auto record = [&](const std::string& place, std::string_view text) {
    fs::create_directories(folder / place);
    folder.write(place + "/manifest.json", text);
  };
  const auto manifest =
      store::make_manifest("x", core::Json::object(), core::Json::object()).dump();
  record("mine/corpus", manifest);  // a run directory in a project is none of the project's
  record(stage, "{}");
  CHECK_THROWS_AS(require_run_directory(folder.path(), Use::read), core::InputError);
  record(stage, manifest);
  CHECK_NOTHROW(require_run_directory(folder.path(), Use::read));
  fs::remove(folder / (stage + "/manifest.json"));
  CHECK_THROWS_AS(require_run_directory(folder.path(), Use::read), core::InputError);
  store::write_sealed(folder / (stage + "/state.json"), state_owner, {{"stage", "x"}});
  CHECK_NOTHROW(require_run_directory(folder.path(), Use::read));
}
