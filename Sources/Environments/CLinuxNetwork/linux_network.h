// Functions of the C library that its headers show only with _GNU_SOURCE, which Swift's import of
// the library does not define, or that are in headers it leaves out. Declarations only; the structures
// behind the pointers are those that Swift imports with the C library: struct pollfd, struct timespec and sigset_t.
#pragma once

// sched.h; namespaces(7)
int setns(int descriptor, int kind);
int unshare(int flags);

// poll.h; poll(2)
int ppoll(void *descriptors, unsigned long count, const void *timeout, const void *mask);

// sys/eventfd.h; eventfd(2)
int eventfd(unsigned int count, int flags);
