#include "support/run_tests.hpp"

int main(int argc, char** argv) { return knnseq::test::run_tests(argc, argv); }
