// A user's command as a filter of text: tokenisers, truecasers, detokenisers.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace knnseq::text {

/// Runs `command` by `/bin/sh -c` once, writes the lines (without "\n" in them) to its stdin and
/// gives the lines of its stdout: one for each, in their order. Its stderr is ours; the variables
/// that mpirun set for this process are hidden from it. Any amount of data: it is read while it is
/// written. Throws InputError naming the command if it ends with a status other than 0 or by a
/// signal, stops before the end of its input, gives more or fewer lines than it got, or a line that
/// is not valid text; SystemError if it cannot be started.
std::vector<std::string> filter_lines(const std::string& command,
                                      std::span<const std::string> lines);

/// The files that the words of a command name, such as its scripts and their models: in order, each
/// once. Programs in machine code are left out, since they change with the system.
std::vector<std::filesystem::path> files_of_command(const std::string& command);

/// Runs the command over one line of plain text, to find out at once what would fail after hours.
/// Does nothing for an empty command. Throws as filter_lines().
void try_filter(const std::string& command);

}  // namespace knnseq::text
