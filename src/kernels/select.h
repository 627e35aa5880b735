// Chooses the KernelTable of this machine: the widest instruction set that the processor and the
// operating system support, unless the caller or QUIRE_FORCE_ISA names another. Any thread; called
// once by the backend at start, and by tests that run over every supported table.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "kernels/kernel_table.h"

namespace quire {

extern const KernelTable kScalarKernels;
#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvxVnniKernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512VnniKernels;
const KernelTable& avx512_amx_kernels();  // made of kAvx512Kernels
#endif

// Every table that runs here, the best first; never empty.
std::vector<const KernelTable*> all_supported();

// The value of QUIRE_FORCE_ISA, or nothing.
std::string_view forced_isa();

// The table called `name`; if empty, QUIRE_FORCE_ISA; if that is empty too, the widest.
Result<const KernelTable*> select_kernels(std::string_view name);

}  // namespace quire
