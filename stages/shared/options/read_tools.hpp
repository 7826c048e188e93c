// The options of stages that look, answer and plan, read from the config.
#pragma once

#include "config/section.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Whether it can name an item of a list, and so a folder and part of a file's name.
bool is_item_name(const std::string& name);

// Each reads its own section, and notes problems there.
InspectOptions read_inspect(const config::Section& section);
TranslateOptions read_translate(const config::Section& section);
ServeOptions read_serve(const config::Section& section);
PlanOptions read_plan(const config::Section& section);

}  // namespace knnseq::stages
