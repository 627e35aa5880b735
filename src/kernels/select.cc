#include "kernels/select.h"

#include <cstdlib>
#include <string>

#include "base/cpu/cpu_info.h"

namespace quire {

std::vector<const KernelTable*> all_supported() {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  const CpuInfo& cpu = cpu_info();
  if (cpu.has_avx512 && cpu.has_avx512_vnni) {
    if (cpu.has_avx512_bf16 && cpu.has_amx_int8) tables.push_back(&avx512_amx_kernels());
    if (cpu.has_avx512_bf16) tables.push_back(&kAvx512Kernels);
    tables.push_back(&kAvx512VnniKernels);
  }
  if (cpu.has_avx_vnni) tables.push_back(&kAvxVnniKernels);
  if (cpu.has_avx2) tables.push_back(&kAvx2Kernels);
#endif
  tables.push_back(&kScalarKernels);
  return tables;
}

std::string_view forced_isa() {
  const char* forced = std::getenv("QUIRE_FORCE_ISA");
  return forced == nullptr ? std::string_view() : std::string_view(forced);
}

Result<const KernelTable*> select_kernels(std::string_view name) {
  if (name.empty()) name = forced_isa();
  const std::vector<const KernelTable*> tables = all_supported();
  if (name.empty()) return tables.front();
  std::string names;
  for (const KernelTable* table : tables) {
    if (table->name == name) return table;
    names += names.empty() ? "" : ", ";
    names += table->name;
  }
  return error(StatusCode::kInvalidArgument,
               "instruction set '{}' is not supported here; this machine runs {}", name, names);
}

}  // namespace quire
