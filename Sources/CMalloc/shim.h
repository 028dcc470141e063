// mallopt(3) and malloc_trim(3), which Swift's Glibc module leaves out.
#pragma once
#include <malloc.h>
