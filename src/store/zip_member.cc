#include "store/zip_member.h"

#include <zip.h>

#include <cstdio>
#include <memory>
#include <vector>

namespace quire::store {
namespace {

constexpr std::size_t kInflatedBytes = std::size_t{1} << 20;

struct Closer {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Status extract_zip_member(const std::string& archive, const std::string& member,
                          std::uint64_t size, const std::string& target) {
  int problem = 0;
  const std::unique_ptr<zip_t, Closer> zip(zip_open(archive.c_str(), ZIP_RDONLY, &problem));
  if (!zip) return error(StatusCode::kCorrupt, "'{}' is no zip archive", archive);
  const std::unique_ptr<zip_file_t, Closer> source(zip_fopen(zip.get(), member.c_str(), 0));
  if (!source) return error(StatusCode::kCorrupt, "'{}' has no file {}", archive, member);
  const std::unique_ptr<std::FILE, Closer> out(std::fopen(target.c_str(), "wb"));
  if (!out) return error(StatusCode::kInternal, "cannot write '{}'", target);
  std::vector<char> buffer(kInflatedBytes);
  std::uint64_t written = 0;
  while (true) {
    const zip_int64_t got = zip_fread(source.get(), buffer.data(), buffer.size());
    if (got < 0) return error(StatusCode::kCorrupt, "{} in '{}' is damaged", member, archive);
    if (got == 0) break;
    const std::size_t count = static_cast<std::size_t>(got);
    if (count > size - written) break;  // more than it may have: it cannot be the file
    if (std::fwrite(buffer.data(), 1, count, out.get()) != count) {
      return error(StatusCode::kResourceExhausted, "cannot write '{}'", target);
    }
    written += count;
  }
  if (written != size || std::fflush(out.get()) != 0) {
    return error(StatusCode::kCorrupt, "{} in '{}' has not the {} bytes that it should have",
                 member, archive, size);
  }
  return ok_status();
}

}  // namespace quire::store
