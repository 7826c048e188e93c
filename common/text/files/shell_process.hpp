// A shell command that runs beside this process, with pipes to and from it. Private to this module.
#pragma once

#include <string>

#include <sys/types.h>

namespace knnseq::text {

/// `/bin/sh -c command`, with our stderr, none of our other open files, and our environment
/// without the variables that mpirun gave us: a command that starts MPI itself would take itself
/// for one of our ranks.
class ShellProcess {
 public:
  /// Throws SystemError if it cannot be started.
  explicit ShellProcess(const std::string& command);
  /// Kills the shell if it has not been waited for.
  ~ShellProcess();
  ShellProcess(const ShellProcess&) = delete;
  ShellProcess& operator=(const ShellProcess&) = delete;

  int input() const { return input_; }  ///< its stdin: a pipe that does not block; −1 once closed
  int output() const { return output_; }  ///< its stdout
  void close_input();

  /// Waits until it has ended; gives its status as waitpid does. To be called once.
  int wait();

 private:
  int input_ = -1;
  int output_ = -1;
  pid_t pid_ = -1;
};

}  // namespace knnseq::text
