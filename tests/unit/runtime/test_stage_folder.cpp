#include <set>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "runtime/stage_folder.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::runtime;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const core::Json state = {{"stage", "made"}, {"inputs", core::Json::object()}};

/// run/made, a stage's folder that makes "text", "blocks.*" and "scratch/".
struct Run {
  Run() { fs::create_directories(folder); }
  void write(const std::string& name, std::string_view content = "x") const {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << content;
  }
  void write_manifest(const core::Json& files) const {
    core::write_file_durably(
        stage.manifest(),
        store::make_manifest("made", core::Json::object(), {{"files", files}}).dump());
  }
  void write_state() const { store::write_sealed(stage.state(), state_owner, state); }
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder)) all.insert(entry.path().filename());
    return all;
  }

  test::TemporaryFolder run_dir;
  fs::path folder = run_dir / "made";
  StageFolder stage{run_dir.path(), folder, {"text", "blocks.*", "scratch/"}};
};

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("a folder is ours if it is missing, empty or has a record, and refused otherwise") {
  const Run run;
  CHECK_NOTHROW(StageFolder(run.run_dir.path(), run.run_dir / "none", {}).require_own());
  CHECK_NOTHROW(run.stage.require_own());
  run.write("state.json.tmp");  // of a kill right at the start
  CHECK_NOTHROW(run.stage.require_own());
  run.write("law.de");
  CHECK_THROWS_AS(run.stage.require_own(), core::InputError);
  CHECK_THROWS_WITH(run.stage.require_own(), Contains("made: holds 'law.de'"));
  run.write_state();
  CHECK_NOTHROW(run.stage.require_own());
  fs::remove(run.stage.state());
  run.write_manifest(core::Json::object());
  CHECK_NOTHROW(run.stage.require_own());
  // Somebody else's records are none.
  run.write("manifest.json", "{}");
  CHECK_THROWS_WITH(run.stage.require_own(), Contains("holds 'law.de'"));
  fs::remove(run.folder / "law.de");
  run.write("shard-00000.h5");
  CHECK_NOTHROW(run.stage.require_own());  // a damaged record of ours, as the names beside it say
  fs::remove(run.stage.manifest());
  CHECK_THROWS_WITH(run.stage.require_own(), Contains("holds 'shard-00000.h5'"));
}

TEST_CASE("folders of other stages in a stage's folder are no strangers; others are") {
  const Run run;
  fs::create_directories(run.folder / "part/deeper");
  store::write_sealed(run.folder / "part/state.json", state_owner, state);
  CHECK_NOTHROW(run.stage.require_own());
  run.write("notes/today.txt");
  CHECK_THROWS_WITH(run.stage.require_own(), Contains("holds 'notes'"));
}

TEST_CASE("links on the way to a folder are refused, the run directory itself may be one") {
  const Run run;
  fs::create_directory_symlink(run.folder, run.run_dir / "link");
  const StageFolder linked(run.run_dir.path(), run.run_dir / "link", {});
  CHECK_THROWS_WITH(linked.require_own(), Contains("link: is a symbolic link"));
  const StageFolder below(run.run_dir.path(), run.run_dir / "link/deeper", {});
  CHECK_THROWS_WITH(below.require_own(), Contains("link: is a symbolic link"));
  CHECK_THROWS_AS(below.start_over(state), core::InputError);
  CHECK_NOTHROW(StageFolder(run.run_dir / "link", run.run_dir / "link/deeper", {}).require_own());
}

TEST_CASE("starting over removes what the stage makes, and nothing else") {
  const Run run;
  run.write_manifest({{"old.bin", {{"bytes", 1}}}});
  for (const char* name :
       {"shard-00000.h5", "shard-00000.json", "shard-12.faiss", "shard-00001.structure",
        "shard-00001.journal.0003", "shard-00002.h5.tmp", "text", "text.tmp", "blocks.7", "old.bin",
        "scratch/source/0-a.gz"}) {
    run.write(name);
  }
  const Names theirs = {"notes.txt", "shard-law.h5", "shard-00000.h5.bak",
                        "x.tmp",     "scratch.txt",  "text.de"};
  for (const auto& name : theirs) run.write(name, "theirs");
  fs::create_directories(run.folder / "other");
  run.stage.start_over(state);
  Names expected = theirs;
  expected.insert({"state.json", "other"});
  CHECK(run.names() == expected);
  for (const auto& name : theirs) CHECK(core::read_file(run.folder / name) == "theirs");
  CHECK(store::read_sealed(run.stage.state(), state_owner) == state);
  CHECK_FALSE(run.stage.is_being_cleared());
}

TEST_CASE("clearing that was interrupted anywhere leaves a folder that is ours and starts over") {
  const bool finished = GENERATE(true, false);
  const Run run;
  if (finished) {
    run.write_manifest({{"old.bin", {{"bytes", 1}}}});
  } else {
    run.write_state();
  }
  run.write("old.bin");
  run.write("shard-00000.h5");
  run.write("notes.txt");
  run.stage.discard();
  CHECK_FALSE(fs::exists(run.stage.manifest()));
  CHECK_FALSE(fs::exists(run.stage.state()));
  CHECK(run.stage.is_being_cleared());
  CHECK_NOTHROW(run.stage.require_own());
  fs::remove(run.folder / "shard-00000.h5");  // and then the kill
  const bool begun = GENERATE(true, false);
  if (begun) run.write_state();  // or even later
  CHECK(run.stage.is_being_cleared());
  run.stage.start_over(state);
  CHECK_FALSE(run.stage.is_being_cleared());
  CHECK(run.names().contains("old.bin") == !finished);  // only a manifest lists it
  CHECK(run.names().contains("notes.txt"));
}

TEST_CASE("a link in a folder is removed and not what it leads to") {
  const Run run;
  fs::create_directories(run.run_dir / "theirs");
  std::ofstream(run.run_dir / "theirs/a") << "text";
  run.write_state();
  fs::create_directory_symlink(run.run_dir / "theirs", run.folder / "scratch");
  fs::create_symlink(run.run_dir / "theirs/a", run.folder / "text");
  run.stage.start_over(state);
  CHECK(run.names() == Names{"scratch", "state.json"});  // it makes a folder of that name, no link
  CHECK(core::read_file(run.run_dir / "theirs/a") == "text");
}

TEST_CASE("what was refused goes away whole, unless something else is in the folder") {
  const Run run;
  run.stage.start_over(state);
  run.write("text");
  run.write("notes.txt");
  run.stage.remove();
  CHECK(run.names() == Names{"notes.txt", "state.json"});
  fs::remove(run.folder / "notes.txt");
  run.stage.remove();
  CHECK_FALSE(fs::exists(run.folder));
}

TEST_CASE("tidying leaves what is not ours") {
  const Run run;
  run.write_manifest(core::Json::object());
  for (const char* name : {"state.json", "text.tmp", "theirs.tmp", "blocks.1"}) run.write(name);
  run.stage.tidy();
  CHECK(run.names() == Names{"manifest.json", "theirs.tmp", "blocks.1"});
}
