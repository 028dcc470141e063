// zlib, and as functions what of it are macros, which Swift cannot call.
#pragma once
#include <zlib.h>

static inline int trinity_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

/// For tests.
static inline int trinity_deflate_init(z_stream *stream, int window_bits) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}
