// Catch2 itself, which takes most of a minute to compile: once for all test programs.
#define CATCH_CONFIG_RUNNER
#include "support/run_tests.hpp"

#include <catch2/catch.hpp>

namespace knnseq::test {

int run_tests(int argc, char** argv) { return Catch::Session().run(argc, argv); }

}  // namespace knnseq::test
