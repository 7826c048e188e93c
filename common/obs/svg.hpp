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

/// A colour of a scale of brightness (viridis) for 0, dark, to 1.
std::string scale_colour(double share);

/// A whole document: `elements` in the order they are painted. On white, and black in the dark (if
/// the system is) for elements of these classes: ground (fill), soft (text), grid and frame
/// (strokes), sunk (fill), whose attributes say the colours in the light.
std::string svg_document(double width, double height, std::string_view elements);

}  // namespace knnseq::obs
