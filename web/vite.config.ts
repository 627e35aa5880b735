import { defineConfig } from "vitest/config";

// `npm run dev` serves the page with a Quire server (QUIRE_URL) behind it.
const server = process.env.QUIRE_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: URLs
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/v2", "/api", "/quire", "/debug", "/version", "/openapi.json"].map((path) => [
        path,
        server,
      ]),
    ),
  },
  test: { include: ["src/**/*.test.ts"], setupFiles: ["tests/setup.ts"] },
});
