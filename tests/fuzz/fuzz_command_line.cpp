// The program's arguments, each after a NUL byte.
#include <string>

#include "fuzz.hpp"
#include "stages/command_line.hpp"

using namespace knnseq;

namespace {
/// One of each kind.
const std::vector<stages::Stage> table = {
    {.name = "encode", .help = "", .run = {}},
    {.name = "decode", .help = "", .run = {}, .names = stages::Names::independent},
    {.name = "serve",
     .help = "",
     .run = {},
     .flags = {{"--json", "serve.json", "true", ""}, {"--listen", "serve.listen", "", ""}},
     .run_directory = stages::RunDirectory::read},
    {.name = "merge",
     .help = "",
     .run = {},
     .names = stages::Names::run_directories,
     .flags = {{"--into", "run_dir", "", ""}}},
    {.name = "doctor", .help = "", .run = {}, .run_directory = stages::RunDirectory::none},
    {.name = "run", .help = "", .run = {}, .force = stages::Force::changed}};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> arguments{"knnseq"};
  for (const auto part : fuzz::parts(fuzz::as_text(data, size))) arguments.emplace_back(part);
  std::vector<const char*> argv;
  for (const auto& argument : arguments) argv.push_back(argument.c_str());
  fuzz::read([&] {
    const auto command =
        stages::parse_command_line(static_cast<int>(argv.size()), argv.data(), table);
    if (command.help || command.version || command.schema) return;
    if (command.list && command.stage.empty()) return;
    fuzz::require(!command.stage.empty(), "a stage");
    fuzz::require(
        !command.config.empty() || (command.stage == "doctor" && command.overrides.empty()),
        "a config, but for doctor");
    fuzz::require(command.overrides.size() + command.names.size() < argv.size(),
                  "what was given once counts once");
  });
  return 0;
}
