// The files of this folder that browsers read, as the build has put them into the program
// (scripts/cmake/Embed.cmake).
#pragma once

namespace knnseq::stages {

extern const char* const page_html;  ///< with marks for what page.cpp puts in
extern const char* const page_css;
extern const char* const page_js;

}  // namespace knnseq::stages
