#include "text/files/shell_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"

namespace knnseq::text {

namespace {

void require_success(int error, const char* call) {
  if (error != 0) throw core::SystemError(call, "/bin/sh", error);
}

class Pipe {
 public:
  Pipe() { require_success(::pipe2(ends_.data(), O_CLOEXEC) == 0 ? 0 : errno, "pipe"); }
  ~Pipe() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  int release_reader() { return std::exchange(ends_[0], -1); }
  int release_writer() { return std::exchange(ends_[1], -1); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// Settings for the child, made before the shell starts.
class SpawnSettings {
 public:
  SpawnSettings(const Pipe& input, const Pipe& output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    require_success(::posix_spawn_file_actions_adddup2(&actions_, input.reader(), STDIN_FILENO),
                    "dup2");
    require_success(::posix_spawn_file_actions_adddup2(&actions_, output.writer(), STDOUT_FILENO),
                    "dup2");
    require_success(::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1),
                    "closefrom");
    sigset_t signals;
    ::sigemptyset(&signals);
    require_success(::posix_spawnattr_setsigmask(&attributes_, &signals), "setsigmask");
    ::sigaddset(&signals, SIGPIPE);  // which our parent may ignore
    require_success(::posix_spawnattr_setsigdefault(&attributes_, &signals), "setsigdefault");
    require_success(
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF),
        "setflags");
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

bool is_from_mpi(std::string_view variable) {
  return variable.starts_with("OMPI_") || variable.starts_with("PMIX_") ||
         variable.starts_with("PMI_");
}

/// Null-terminated, as exec takes it.
std::vector<char*> environment_without_mpi() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_from_mpi(*variable)) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

}  // namespace

ShellProcess::ShellProcess(const std::string& command) {
  Pipe input;  // before the other: should our own stdin be closed, this reader takes its place
  Pipe output;
  const SpawnSettings settings(input, output);
  require_success(::fcntl(input.writer(), F_SETFL, O_NONBLOCK) == 0 ? 0 : errno, "fcntl");
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = command;
  std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
  require_success(::posix_spawn(&pid_, "/bin/sh", settings.actions(), settings.attributes(),
                                arguments.data(), environment_without_mpi().data()),
                  "posix_spawn");
  input_ = input.release_writer();
  output_ = output.release_reader();
}

ShellProcess::~ShellProcess() {
  close_input();
  ::close(output_);
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ShellProcess::close_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

int ShellProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) throw core::SystemError("waitpid", "/bin/sh", errno);
  }
  pid_ = -1;
  return status;
}

}  // namespace knnseq::text
