#ifndef NOVACRON_CZSTD_SHIM_H
#define NOVACRON_CZSTD_SHIM_H

// The stable interface of Zstandard (RFC 8878) as Debian's libzstd-dev installs it.
#include <zstd.h>

#endif
