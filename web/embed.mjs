// Writes the C++ source that embeds a built page:  node embed.mjs PAGE_FOLDER OUTPUT.cc
// Every file of the folder becomes one PageAsset (src/serve/page/page.h), as it is and compressed;
// the bytes get in by the assembler's .incbin. Compressed copies are laid beside OUTPUT.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const [pageFolder, output] = process.argv.slice(2).map((path) => resolve(path));
const packedFolder = join(dirname(output), "packed");

const contentTypes = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

function filesUnder(folder, path = "") {
  return readdirSync(join(folder, path), { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? filesUnder(folder, `${path}/${entry.name}`) : [`${path}/${entry.name}`],
    )
    .sort();
}

rmSync(packedFolder, { recursive: true, force: true });
mkdirSync(packedFolder, { recursive: true });

const assets = filesUnder(pageFolder).map((path, number) => {
  const file = join(pageFolder, path);
  const content = readFileSync(file);
  const contentType = contentTypes[extname(path)];
  if (!contentType) throw new Error(`${path}: embed.mjs knows no content type for it`);
  const packed = gzipSync(content, { level: 9 });
  const packedFile = join(packedFolder, `${number}.gz`);
  writeFileSync(packedFile, packed);
  return {
    path: path === "/index.html" ? "/" : path,
    tag: createHash("sha256").update(content).digest("hex").slice(0, 16),
    contentType,
    file,
    packedFile,
    number,
    size: content.length,
    packedSize: packed.length,
    isNamedByContent: /-[\w-]{8}\.\w+$/.test(path),
  };
});

const embedded = ({ number, file, packedFile }) =>
  `quire_page_${number}:\n.incbin "${file}"\nquire_page_${number}_gzip:\n.incbin "${packedFile}"\n`;
const declared = ({ number }) =>
  `extern const char quire_page_${number}[], quire_page_${number}_gzip[];\n`;
const row = (asset) =>
  `    {"${asset.path}", "${asset.contentType}", "\\"${asset.tag}\\"",\n` +
  `     {quire_page_${asset.number}, ${asset.size}}, ` +
  `{quire_page_${asset.number}_gzip, ${asset.packedSize}}, ${asset.isNamedByContent}},\n`;

writeFileSync(
  output,
  `// Written by web/embed.mjs.
#include "serve/page/page.h"

asm(R"(.pushsection .rodata
${assets.map(embedded).join("")}.popsection
)");
extern "C" {
${assets.map(declared).join("")}}

namespace quire {

std::span<const PageAsset> page_assets() {
  static const PageAsset assets[] = {
${assets.map(row).join("")}  };
  return assets;
}

}  // namespace quire
`,
);
