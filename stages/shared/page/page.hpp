// The page that shows translations, and why kNN changed them (docs/page.md).
#pragma once

#include <string>

#include "core/files.hpp"

namespace knnseq::stages {

/// The page as `serve` gives it: it asks /v1/… of where it comes from, and its style and script are
/// page_css at /page.css and page_js at /page.js.
std::string served_page();

/// The same as one file that asks nobody: what it shows is in it, as JSON, gzip and base64.
std::string standalone_page(const core::Json& book);

}  // namespace knnseq::stages
