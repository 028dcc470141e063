#pragma once

/// Ends the program with a message and the numbers of a case.
void fail(const char *message, long a, long b, long c);

/// Prints a line with the name of a case, its numbers, and a digest of its result: of `count` floats, or of bytes if `is_float` is
/// 0.
void report(const char *name, long a, long b, long c, const void *result, long count, int is_float);
