#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "metrics/languages_13a.hpp"

using namespace knnseq;
using Catch::Contains;

TEST_CASE("13a suits languages written with spaces") {
  for (const char* language : {"en", "de", "deu_Latn", "pt-BR", "ru", "ar", "hi", "vi", "", "xx"}) {
    CHECK(metrics::suits_13a(language));
    CHECK_NOTHROW(metrics::require_13a(language));
  }
  for (const char* language :
       {"zh", "ZH", "zh-CN", "zh_TW", "zho_Hans", "yue_Hant", "ja", "jpn_Jpan", "ko", "kor_Hang",
        "th", "tha_Thai", "lo", "km", "my", "bod_Tibt"}) {
    CHECK_FALSE(metrics::suits_13a(language));
  }
}

TEST_CASE("the refusal says what to use") {
  CHECK_THROWS_AS(metrics::require_13a("zh"), core::InputError);
  CHECK_THROWS_WITH(metrics::require_13a("zh-CN"),
                    Contains("'zh-CN'") && Contains("hyp.txt") && Contains("--tokenize zh "));
  CHECK_THROWS_WITH(metrics::require_13a("ja"), Contains("--tokenize ja-mecab"));
  CHECK_THROWS_WITH(metrics::require_13a("tha_Thai"), Contains("--tokenize flores200"));
}
