#include <catch2/catch.hpp>

#include "core/enum_names.hpp"

using namespace knnseq;

namespace {

enum class Metal { iron, tin };

constexpr auto names_of(Metal) {
  return core::enum_names<Metal>({{Metal::iron, "Fe"}, {Metal::tin, "Sn"}});
}

static_assert(core::name_of(Metal::tin) == "Sn");
static_assert(core::value_named<Metal>("Fe") == Metal::iron);
static_assert(!core::value_named<Metal>("fe"));

}  // namespace

TEST_CASE("an enum's names lead to its values and back") {
  CHECK(core::all_names<Metal>() == std::vector<std::string>{"Fe", "Sn"});
}
