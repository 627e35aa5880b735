import { defineConfig } from "vitest/config";

// The page in a browser, against a server: one file after the other.
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    bail: 0,
  },
});
