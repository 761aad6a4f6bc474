#pragma once
#include <cstdint>

namespace tessera {

// How a view is cut out of an image, as Geometry in src/data/resample.ts.
struct Cut {
  int image_width, image_height;
  int left, top, box_width, box_height;
  int width, height;
  int window_left, window_top, window_width, window_height;
  bool flip;

  // The box lies in the image and the window in the resized box.
  bool fits() const;
};

// Bicubic resizing with Pillow's arithmetic, bit for bit: what resampleRgb in src/data/resample.ts does, faster.
void resample(const uint8_t* image, const Cut& cut, uint8_t* output);

}  // namespace tessera
