#include "obs/crash_message.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

#include "obs/terminal.hpp"

namespace knnseq::obs {

namespace {

struct Crash {
  int signal;
  const char* name;
  struct sigaction before;
};

std::array<Crash, 5> crashes{{{SIGABRT, "SIGABRT", {}},
                              {SIGSEGV, "SIGSEGV", {}},
                              {SIGBUS, "SIGBUS", {}},
                              {SIGFPE, "SIGFPE", {}},
                              {SIGILL, "SIGILL", {}}}};
// Two, so that the one in use never changes under the handler.
std::array<std::array<char, 512>, 2> prefixes;
std::atomic<const char*> prefix = nullptr;

/// Whether the process cannot have more memory: then a library may have crashed for want of it.
bool memory_has_run_out() {
  constexpr std::size_t more = std::size_t{64} << 20;
  void* const memory =
      ::mmap(nullptr, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return true;
  ::munmap(memory, more);
  return false;
}

/// Only what is safe in a signal handler: no allocation, no lock.
void announce(int signal, siginfo_t* info, void* context) {
  for (Crash& crash : crashes) {
    if (crash.signal != signal) continue;
    std::array<char, 720> line{};
    char* end = stpncpy(line.data(), prefix.load(), 512);
    end = stpcpy(end, ": ended by ");
    end = stpcpy(end, crash.name);
    end = stpcpy(end, "; the cause stands above, where a library gave one");
    if (memory_has_run_out()) end = stpcpy(end, "; it has no memory left");
    end = stpcpy(end, "\n");
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), end - line.data());
    // Then as if this handler were not there: MPI's prints where it was, the default ends the
    // process.
    ::sigaction(signal, &crash.before, nullptr);
    if ((crash.before.sa_flags & SA_SIGINFO) != 0)
      return crash.before.sa_sigaction(signal, info, context);
    ::raise(signal);
  }
}

}  // namespace

void announce_crashes(std::string_view who) {
  const char* const used = prefix.load();
  std::array<char, 512>& free = used == prefixes[0].data() ? prefixes[1] : prefixes[0];
  const std::string text = printable(who.substr(0, 400)).substr(0, free.size() - 1);
  std::strcpy(free.data(), text.c_str());
  prefix = free.data();
  if (used != nullptr) return;
  for (Crash& crash : crashes) {
    struct sigaction action {};
    action.sa_sigaction = announce;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(crash.signal, &action, &crash.before);
  }
}

}  // namespace knnseq::obs
