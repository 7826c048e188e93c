#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "text/pieces/moses_marks.hpp"

using namespace knnseq;
using text::find_moses_marks;

namespace {

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("each mark of the Moses tokeniser is found") {
  for (const char* mark :
       {"@-@", "&apos;", "&quot;", "&amp;", "&#91;", "&#93;", "&#124;", "&lt;", "&gt;"}) {
    INFO(mark);
    const auto marks = find_moses_marks(Lines{"none", std::string("a @ b & ") + mark + " c"});
    CHECK(marks.lines == 1);
    REQUIRE(marks.examples.size() == 1);
    CHECK(marks.examples[0].line == 2);
    CHECK(marks.examples[0].mark == mark);
  }
}

TEST_CASE("marks are found at the ends of a line and on words, hyphens only as words") {
  CHECK(find_moses_marks(Lines{"@-@", "well @-@", "@-@ x", "it&apos;s", "&quot;"}).lines == 5);
  CHECK(find_moses_marks(Lines{"a@-@b", "x @-@y", "@-@@ @-@."}).lines == 0);
  CHECK(find_moses_marks(Lines{"x@-@y @-@ z"}).lines == 1);
}

TEST_CASE("ordinary text has no marks") {
  const auto marks = find_moses_marks(Lines{"", "R&D at a@b.org", "a well-known one's \"quote\"",
                                            "& &amp &#91 &nbsp; @@ @ - @", "x &"});
  CHECK(marks.lines == 0);
  CHECK(marks.examples.empty());
}

TEST_CASE("all lines are counted and the first ones named, each with its first mark") {
  const Lines lines{"a &lt; b @-@ c", "", "@-@ &gt;", "&amp;", "&apos;"};
  const auto marks = find_moses_marks(lines);
  using Example = text::MosesMarks::Example;
  CHECK(marks.lines == 4);
  CHECK(marks.examples == std::vector<Example>{{1, "&lt;"}, {3, "@-@"}, {4, "&amp;"}});
  CHECK(find_moses_marks(lines, 0).lines == 4);
  CHECK(find_moses_marks(lines, 0).examples.empty());
}
