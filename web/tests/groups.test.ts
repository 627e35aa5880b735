// The KV map of models that keep more than the keys and values of every position: recurrent layers,
// local windows. Their weights are random and their words are bytes: only what is shown matters.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KvGroup } from "../src/api/status";
import { seriousFindings } from "./axe";
import { launchBrowser, TestPage } from "./page";
import { QuireServer } from "./server";

const MODELS = ["random:tiny-granite:f32", "random:tiny-gemma3:f32", "random:tiny-tied:f32"];

// Byte level: printable characters stand for themselves, other bytes for those from U+0100 on.
function tokenizer(): object {
  const vocab: Record<string, number> = {};
  for (let byte = 0, next = 256; byte < 256; ++byte) {
    const isItself = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    vocab[String.fromCharCode(isItself ? byte : next++)] = byte;
  }
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: false,
    use_regex: false,
  };
  return {
    version: "1.0",
    added_tokens: [],
    pre_tokenizer: byteLevel,
    decoder: byteLevel,
    model: { type: "BPE", vocab, merges: [] },
  };
}

let folder: string;
let server: QuireServer;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quire-groups-"));
  const file = join(folder, "tokenizer.json");
  await writeFile(file, JSON.stringify(tokenizer()));
  server = await QuireServer.start(
    MODELS.flatMap(() => ["--tokenizer", file]),
    MODELS,
  );
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function complete(model: string): Promise<void> {
  const body = { model, prompt: "Once upon a time. ".repeat(20), max_tokens: 8, ignore_eos: true };
  const answer = await server.json("/v1/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(answer.usage?.completion_tokens, JSON.stringify(answer)).toBe(8);
}

async function groupsOf(name: string): Promise<KvGroup[]> {
  const status = await server.json("/quire/status");
  return status.models.find((model: { name: string }) => model.name === name).kv.groups;
}

describe("kv groups", () => {
  it("have a map each, with their names and figures", async () => {
    const names: string[] = (await server.json("/v1/models")).data.map(({ id }: any) => id);
    for (const name of names) await complete(name);
    const test = await TestPage.open(browser, server.url, { path: "/#/live" });
    for (const name of names) {
      await test.page.getByRole("button", { name, exact: true }).click();
      await test.page.getByRole("heading", { name, exact: true }).waitFor();
      const groups = await groupsOf(name);
      const maps = test.page.getByRole("img", { name: /(blocks|states):/ });
      await expect.poll(() => maps.count()).toBe(groups.length);
      for (const [index, group] of groups.entries()) {
        const label = new RegExp(`^(${group.name}, )?[\\d,]+ (block|state)s: 0 in use`);
        await expect.poll(() => maps.nth(index).getAttribute("aria-label")).toMatch(label);
        expect(await maps.nth(index).locator("path.cached").getAttribute("d")).not.toBe("");
      }
      // A model with one group says neither its name nor its kind.
      const headings = groups.length > 1 ? groups.length : 0;
      expect(await test.page.locator(".kv-group h3").count()).toBe(headings);
      expect(await seriousFindings(test), name).toEqual([]);
    }
    await test.close();
  });

  it("tell states from positions", async () => {
    const [positions, states] = await groupsOf("random:tiny-granite:f32");
    expect(positions).toMatchObject({ name: "all", holds: "positions", window: null });
    expect(states).toMatchObject({ name: "state", holds: "state", of: "text" });
    const gemma = await groupsOf("random:tiny-gemma3:f32");
    expect(gemma.map(({ window }) => window !== null)).toContain(true);
  });
});
