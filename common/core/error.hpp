// Errors of three kinds: what a user can fix, what the system refused, and our own bugs.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace knnseq::core {

/// Exit codes of the program, as the outermost handler maps them.
enum class ExitCode { success = 0, failure = 1, bad_input = 2, stopped = 75 };

/// Base of all errors that are reported to the user: one line, or a list with a line for each item.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message, bool is_list = false)
      : std::runtime_error(message), code_(code), is_list_(is_list) {}
  ExitCode code() const { return code_; }
  /// Whether the line ends in what() separate items. In all other errors they are part of a name.
  bool is_list() const { return is_list_; }

 private:
  ExitCode code_;
  bool is_list_;
};

/// Input that the user can correct: a config key, a corpus line, a model file. Exit code 2.
class InputError : public Error {
 public:
  explicit InputError(const std::string& message) : Error(ExitCode::bad_input, message) {}
  /// `where` names the file (and line or key) the message is about: "config.yaml:12: …".
  InputError(const std::string& where, const std::string& message)
      : InputError(where + ": " + message) {}
  /// Several problems, or one, that were found together.
  explicit InputError(const std::vector<std::string>& problems);
};

/// A failure of the system (I/O, memory, MPI, HDF5). Exit code 1.
class SystemError : public Error {
 public:
  explicit SystemError(const std::string& message) : Error(ExitCode::failure, message) {}
  /// A failed call on `path`; the text of errno is added.
  SystemError(const std::string& call, const std::string& path, int errno_value);
};

/// The run was asked to stop (SIGUSR1) and has committed what was done. Exit code 75.
class Stopped : public Error {
 public:
  explicit Stopped(const std::string& message) : Error(ExitCode::stopped, message) {}
};

/// The text up to its first line end.
std::string first_line(const std::string& text);

/// The items of an error that is a list; what() of another.
std::vector<std::string> items_of(const Error& error);

/// Reports a bug of ours with its place; never the user's fault.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line,
                                   const std::string& message);

}  // namespace knnseq::core

/// Checked in every build type; throws std::logic_error.
#define KNNSEQ_ASSERT(condition, message)                                                          \
  do {                                                                                             \
    if (!(condition)) ::knnseq::core::assertion_failed(#condition, __FILE__, __LINE__, (message)); \
  } while (false)
