// epoll(7), which Swift's Glibc module leaves out, and eventfd(2).
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
