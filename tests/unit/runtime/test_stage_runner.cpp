#include <fstream>

#include <catch2/catch.hpp>

#include "comm/agreement.hpp"
#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "runtime/input_files.hpp"
#include "runtime/stage_folder.hpp"
#include "runtime/stage_runner.hpp"
#include "store/sealed_json.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::runtime;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

/// A stage that reads run/../input.txt and makes "text" and a shard's manifest, which counts as
/// committed.
struct Stage {
  Stage() { fs::create_directory(context.run_dir); }

  void stamp() { context.input_stamps.push_back(core::stamp_file(input)); }
  /// Writes to the file in place until its times show it.
  void edit(const std::string& content) {
    const auto before = core::stamp_file(input);
    do {
      std::ofstream(input) << content;
    } while (core::stamp_file(input).at("changed_ns") == before.at("changed_ns"));
  }
  void replace(const std::string& content) {
    std::ofstream(home / "new") << content;
    fs::rename(home / "new", input);
  }
  void run(const std::function<void()>& while_working = [] {}) {
    run_stage(context, {"made",
                        folder,
                        {{"threads", 1}},
                        [&] {
                          resumed = fs::exists(folder / "shard-00000.json");
                          core::write_file_durably(folder / "shard-00000.json", "{}");
                          while_working();
                          core::write_file_durably(folder / "text", "made");
                          StageOutcome outcome{core::Json::object(), {"files", 1, 1}};
                          outcome.content["files"] = file_sizes(folder, {"text"});
                          return outcome;
                        },
                        {"text"}});
  }

  test::TemporaryFolder home;
  fs::path input = home.write("input.txt", "one");
  std::unique_ptr<comm::Communicator> comm = comm::make_self_communicator();
  obs::Log log{0, 1};
  StageContext context{*comm, log, home / "run", StageContext::Force::no, "", 60};
  fs::path folder = home / "run/made";
  bool resumed = false;
};

}  // namespace

TEST_CASE("what was loaded must be what was fingerprinted") {
  Stage stage;
  stage.stamp();
  CHECK_NOTHROW(require_unchanged_inputs(stage.context));
  const bool in_place = GENERATE(true, false);
  in_place ? stage.edit("two") : stage.replace("two");
  CHECK_THROWS_WITH(require_unchanged_inputs(stage.context),
                    Contains("input.txt: has changed while it was being read"));
  CHECK_THROWS_AS(require_unchanged_inputs(stage.context), comm::AgreedError);
}

TEST_CASE("a file that is edited while a stage is at work makes it start over") {
  Stage stage;
  stage.stamp();
  CHECK_THROWS_WITH(stage.run([&] { stage.edit("two"); }),
                    Contains("input.txt: was edited while the stage was at work"));
  CHECK_FALSE(fs::exists(stage.folder / "manifest.json"));
  CHECK_FALSE(stage.resumed);
  stage.edit("one");  // as it was: with the same inputs, but what is there was not made of them
  stage.context.input_stamps.clear();
  stage.stamp();
  stage.run();
  CHECK_FALSE(stage.resumed);
  CHECK(fs::exists(stage.folder / "manifest.json"));
  CHECK(stage.context.input_stamps.empty());
}

TEST_CASE(
    "a file that is replaced, removed or only touched while a stage is at work is no matter") {
  const int change = GENERATE(0, 1, 2);
  Stage stage;
  stage.stamp();
  stage.run([&] {
    if (change == 0) stage.edit("one");
    if (change == 1) stage.replace("two");
    if (change == 2) fs::remove(stage.input);
  });
  CHECK(fs::exists(stage.folder / "manifest.json"));
}

TEST_CASE("a stage's folder that is not ours is refused, by force too, and left as it is") {
  using Force = StageContext::Force;
  const auto force = GENERATE(Force::no, Force::changed, Force::always);
  Stage stage;
  stage.context.force = force;
  fs::create_directories(stage.folder);
  core::write_file_durably(stage.folder / "law.de", "text");
  CHECK_THROWS_WITH(stage.run(), Contains("made: holds 'law.de'"));
  CHECK_THROWS_WITH(
      write_results(stage.context.run_dir, stage.folder, "made", {}, {{"law.de", "x"}}),
      Contains("made: holds 'law.de'"));
  CHECK(core::read_file(stage.folder / "law.de") == "text");
  CHECK_FALSE(fs::exists(stage.folder / "state.json"));
}

TEST_CASE("what lies beside a stage's work survives that it starts over") {
  Stage stage;
  stage.run();
  core::write_file_durably(stage.folder / "notes.txt", "theirs");
  stage.context.force = StageContext::Force::always;
  stage.run();
  CHECK_FALSE(stage.resumed);
  CHECK(core::read_file(stage.folder / "notes.txt") == "theirs");
}

TEST_CASE("results that are made anew keep their folder ours") {
  Stage stage;
  const auto write = [&](const std::string& text) {
    write_results(stage.context.run_dir, stage.folder, "scores", core::Json::object(),
                  {{"scores.md", text}});
  };
  write("one");
  write("two");
  CHECK(core::read_file(stage.folder / "scores.md") == "two");
  CHECK_FALSE(fs::exists(stage.folder / "state.json"));
  CHECK(require_manifest(stage.folder, "scores", "evaluate").stage == "scores");
}

TEST_CASE("what another version has left is refused, unless the stage starts over") {
  Stage stage;
  const auto rewrite = [&](const char* name, int version) {
    core::Json record = core::read_json(stage.folder / name);
    record["version"] = version;
    if (std::string(name) == state_name) {
      record.erase("checksum");
      store::write_sealed(stage.folder / name, state_owner, record);
    } else {
      core::write_file_durably(stage.folder / name, record.dump());
    }
  };
  const char* name = GENERATE("manifest.json", "state.json");
  if (std::string(name) == "manifest.json") {
    stage.run();
  } else {
    CHECK_THROWS(stage.run([] { throw std::runtime_error("killed"); }));
  }
  rewrite(name, store::manifest_version - 1);
  CHECK_THROWS_WITH(stage.run(), Contains(std::string(name) + ": has version 3; this knnseq reads "
                                                              "version 4; --force makes the stage "
                                                              "again"));
  stage.context.force = StageContext::Force::changed;
  stage.run();
  CHECK_FALSE(stage.resumed);
  CHECK(require_manifest(stage.folder, "made", "make").stage == "made");
  rewrite("manifest.json", store::manifest_version + 1);
  CHECK_THROWS_WITH(
      require_manifest(stage.folder, "made", "make"),
      Contains("has version 5; this knnseq reads version 4; run 'knnseq make --force'"));
}

TEST_CASE("an unfinished stage that says no version is gone on with") {
  Stage stage;
  CHECK_THROWS(stage.run([] { throw std::runtime_error("killed"); }));
  core::Json state = core::read_json(stage.folder / "state.json");
  CHECK(state.at("version") == store::manifest_version);
  for (const char* field : {"version", "checksum"}) state.erase(field);
  store::write_sealed(stage.folder / "state.json", state_owner, state);
  stage.run();
  CHECK(stage.resumed);
}
