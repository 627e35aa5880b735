#include "serve/testing/compatibility_page.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace quire {

std::string settle_compatibility_page(const std::string& path, std::string_view name,
                                      const std::vector<CompatibilityRow>& rows) {
  std::stringstream read;
  read << std::ifstream(path).rdbuf();
  std::string page = read.str();
  const std::string begin = "<!-- " + std::string(name) + " -->\n";
  const std::string end = "<!-- end " + std::string(name) + " -->\n";
  const std::size_t from = page.find(begin), to = page.find(end);
  if (from == std::string::npos || to == std::string::npos) {
    return path + " has no table between " + begin + "and " + end;
  }
  std::string table = begin + "\n| parameter | here | how |\n|---|---|---|\n";
  for (const CompatibilityRow& row : rows) {
    table += "| " + row.parameter + " | " + row.outcome + " | " + row.how + " |\n";
  }
  table += '\n';
  const bool is_same = page.compare(from, to - from, table) == 0;
  if (is_same) return {};
  if (std::getenv("QUIRE_WRITE_DOCS") == nullptr) {
    return path + " says something else of " + std::string(name) +
           "; write it anew with QUIRE_WRITE_DOCS=1:\n" + table;
  }
  page.replace(from, to - from, table);
  std::ofstream(path) << page;
  return {};
}

}  // namespace quire
