// What is printed: the only place that writes to stdout and stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knnseq::obs {

/// `text` as one line that a terminal only shows and never obeys. Names, messages and sentences
/// come from files and processes that may hold anything. Control characters, line ends and
/// characters that change the direction of writing are written as \n, \x1b or \u202e, bytes that
/// are not UTF-8 as \xff. Other text stays as it is.
std::string printable(std::string_view text);

/// The same for several lines: "\n" stays. Untrusted text must go through printable() first, or it
/// could add lines of its own.
std::string printable_lines(std::string_view text);

/// JSON of the same value, whose strings have such characters as JSON's own \u007f.
std::string printable_json(std::string_view json);

/// Writes printable_lines(text) to stdout, and flushes.
void print(std::string_view text);

/// Writes data for other programs to stdout, byte by byte, and flushes; to a terminal as print()
/// does. Throws core::SystemError if it cannot be written.
void write_data(std::string_view data);

/// Writes printable(text) and a line end to stderr, in one write, so that lines of several ranks
/// do not mix.
void say(std::string_view text);

/// The same for a heading and a list below it, a line an item.
void say_list(std::string_view heading, const std::vector<std::string>& items);

/// A line that the next say() replaces; on a terminal only.
void say_progress(std::string_view text);

}  // namespace knnseq::obs
