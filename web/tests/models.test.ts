// The models view: what is served, unloading and loading it again, on a wide window and on a phone.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seriousFindings } from "./axe";
import { launchBrowser, TestPage } from "./page";
import { QuireServer } from "./server";

let server: QuireServer;
let browser: Browser;

beforeAll(async () => {
  server = await QuireServer.start();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

describe("the models view", () => {
  it("unloads a model and loads it again", async () => {
    const test = await TestPage.open(browser, server.url, { path: "/#/models" });
    const name = (await server.json("/quire/models")).models[0].name;
    const card = test.page.getByRole("listitem", { name });
    await card.getByText("ready", { exact: true }).waitFor();
    await test.page.getByRole("button", { name: `Unload ${name}` }).click();
    await card.getByText("unloaded", { exact: true }).waitFor();
    await test.page.getByRole("button", { name: `Load ${name}`, exact: true }).click();
    await card.getByText("ready", { exact: true }).waitFor();
    expect((await server.json("/quire/models")).models[0].loads).toBe(2);
    await test.close();
  });

  it("pins a model and lets it go", async () => {
    const test = await TestPage.open(browser, server.url, { path: "/#/models" });
    const name = (await server.json("/quire/models")).models[0].name;
    const card = test.page.getByRole("listitem", { name });
    await test.page.getByRole("button", { name: `Pin ${name}`, exact: true }).click();
    await card.getByText("pinned: stays in memory").waitFor();
    expect((await server.json("/quire/models")).models[0].pinned).toBe(true);
    await test.page.getByRole("button", { name: `Unpin ${name}`, exact: true }).click();
    await test.page.getByRole("button", { name: `Pin ${name}`, exact: true }).waitFor();
    expect((await server.json("/quire/models")).models[0].pinned).toBe(false);
    await test.close();
  });

  it("can be read by everybody, and fits a phone", async () => {
    for (const options of [
      {},
      { colorScheme: "dark" as const },
      { viewport: { width: 390, height: 844 } },
    ]) {
      const test = await TestPage.open(browser, server.url, { path: "/#/models", ...options });
      await test.page.getByText("In memory", { exact: true }).waitFor();
      expect(await seriousFindings(test)).toEqual([]);
      const overflow = await test.page.evaluate(
        () => document.documentElement.scrollWidth - innerWidth,
      );
      expect(overflow).toBe(0);
      await test.close();
    }
  });
});
