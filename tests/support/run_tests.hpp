#pragma once

namespace knnseq::test {

/// Runs this program's test cases as Catch2's own main does. Returns the exit code.
int run_tests(int argc, char** argv);

}  // namespace knnseq::test
