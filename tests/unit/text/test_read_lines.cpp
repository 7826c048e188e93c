#include <catch2/catch.hpp>
#include <zlib.h>

#include "core/error.hpp"
#include "support/temporary_folder.hpp"
#include "text/files/read_lines.hpp"

using namespace knnseq;
using Lines = std::vector<std::string>;

TEST_CASE("lines of a file, however they end") {
  const test::TemporaryFolder folder;
  CHECK(text::read_lines(folder.write("a", "one\ntwo\r\n\nfour")) ==
        Lines{"one", "two", "", "four"});
  CHECK(text::read_lines(folder.write("b", "\xEF\xBB\xBFone\n")) == Lines{"one"});
  CHECK(text::read_lines(folder.write("mark", "\xEF\xBB\xBF")) ==
        Lines{""});  // as LineFiles counts
  CHECK(text::read_lines(folder.write("c", "")).empty());
  CHECK(text::read_lines(folder.write("d", "\n\n")) == Lines{"", ""});
}

TEST_CASE("compressed files are read as their content") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzputs(file, "eins\nzwei\n");
  gzclose(file);
  CHECK(text::read_lines(path) == Lines{"eins", "zwei"});
}

TEST_CASE("invalid text is named with its line") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(text::read_lines(folder.write("bad.de",
                                                  "good\nb\xFF"
                                                  "d\n")),
                    Catch::Contains("bad.de:2: invalid text"));
  CHECK_THROWS_AS(text::read_lines(folder / "none.de"), core::InputError);
}
