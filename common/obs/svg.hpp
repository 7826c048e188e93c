// What the pictures of stages have in common: parts of SVG documents, as text. Sizes are pixels.
#pragma once

#include <string>
#include <string_view>

namespace knnseq::obs {

/// `text` with the characters that XML reserves written as entities.
std::string xml_escaped(std::string_view text);

/// `anchor` is start, middle or end; `attributes` are further ones of the element, as XML.
std::string svg_text(double x, double y, std::string_view anchor, std::string_view text,
                     std::string_view attributes = "");

/// A whole document on white: `elements` in the order they are painted.
std::string svg_document(double width, double height, std::string_view elements);

}  // namespace knnseq::obs
