// A last message of a process that a signal ends.
#pragma once

#include <string_view>

namespace knnseq::obs {

/// From now on SIGABRT, SIGSEGV, SIGBUS, SIGFPE and SIGILL print one line to stderr that begins
/// with `who`, before what they did before. A library that aborts the process (the C library when
/// thread-local memory cannot be had, for example) tells what is wrong, but not on which rank and
/// in which stage. `who` is cut after 400 bytes. A second call replaces it.
void announce_crashes(std::string_view who);

}  // namespace knnseq::obs
