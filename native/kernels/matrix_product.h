#pragma once

namespace tessera {

// Whether large float32 products are made by the processor's matrix unit, not by libtorch's BLAS.
bool multiplies_with_tiles();

}  // namespace tessera
