#include "stages/command_line.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"

namespace knnseq::stages {

namespace {
constexpr std::array stage_names = {"partition", "encode", "train",    "add",     "subset",
                                    "append",    "decode", "evaluate", "inspect", "export",
                                    "sweep",     "tune",   "verify",   "doctor",  "run"};
}

std::string usage() {
  return R"(knnseq: kNN machine translation as a pipeline of MPI processes

  mpirun -np P knnseq STAGE --config FILE [--set key=value …] [--force]

stages
  partition   tokenise the corpus and deal it to the shards
  encode      compute the datastore's keys
  train       train the codebook (rotation, coarse centroids, product quantiser)
  add         assign and code the keys: one faiss file a shard
  append      the same for more text, under that codebook [those named of the config's items]
  subset      what decode needs for subset kNN: a sentence index, and codes of all keys
  decode      translate the test sets of the config [those named, as in: decode test-knn]
  evaluate    BLEU and chrF of what was decoded
  inspect     one test sentence and the neighbours that changed it
  export      all shards as one faiss file with a values.npy, for Python
  verify      compare every file of the run directory with its checksums
  sweep       recall, memory and speed of a grid of indexes on held-out text
  tune        the best kNN settings of a grid, on a validation set
  doctor      what this build and these machines have, and what fits ill together
  run         all of partition … evaluate, skipping what is done

options
  --config FILE    YAML; configs/reference.yaml documents every key. doctor does without
  --set key=value  overrides a key (knn.k=8, decode.0.knn=false); may be repeated
  --force          start the stage over; with run, append and tune: those whose inputs
                   have changed
  --list           with run: print the stages it consists of, one a line, and do nothing
  --help, --version

exit codes: 0 done, 1 failed, 2 bad input, 75 stopped by SIGUSR1 (run again to go on)
)";
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine command;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    std::optional<std::string> attached;  // of --config=FILE
    if (const auto equals = argument.find('=');
        argument.starts_with("--") && equals != argument.npos) {
      attached = argument.substr(equals + 1);
      argument.erase(equals);
    }
    const auto value = [&] {
      if (attached) return *attached;
      if (i + 1 >= argc) throw core::InputError(argument, "needs a value (see knnseq --help)");
      return std::string(argv[++i]);
    };
    if (argument == "--config") {
      command.config = value();
    } else if (argument == "--set") {
      command.overrides.push_back(value());
    } else if (argument == "--force") {
      command.force = true;
    } else if (argument == "--list") {
      command.list = true;
    } else if (argument == "--help" || argument == "-h") {
      command.help = true;
    } else if (argument == "--version") {
      command.version = true;
    } else if (argument.starts_with("-")) {
      throw core::InputError(argument, "is not an option (see knnseq --help)");
    } else if (command.stage.empty()) {
      command.stage = argument;
    } else {
      command.names.push_back(argument);
    }
  }
  if (command.help || command.version) return command;
  if (std::find(stage_names.begin(), stage_names.end(), command.stage) == stage_names.end()) {
    throw core::InputError(command.stage.empty()
                               ? "no stage given (see knnseq --help)"
                               : "'" + command.stage + "' is not a stage (see knnseq --help)");
  }
  const bool needs_config = command.stage != "doctor" || !command.overrides.empty();
  if (needs_config && command.config.empty()) throw core::InputError("--config FILE is required");
  if (!command.names.empty() && command.stage != "decode" && command.stage != "append") {
    throw core::InputError("'" + command.names[0] + "'", "only append and decode take names");
  }
  if (command.list && command.stage != "run") throw core::InputError("--list", "is for run only");
  return command;
}

}  // namespace knnseq::stages
