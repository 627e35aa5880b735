// axe on every view, in light, in dark and on a phone; and the theme switch.
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seriousFindings } from "./axe";
import { launchBrowser, TestPage } from "./page";
import { QuireServer } from "./server";

const LOOKS: Record<string, BrowserContextOptions> = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: {
    colorScheme: "light",
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  },
  "dark phone": {
    colorScheme: "dark",
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  },
};

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

async function isWiderThanWindow(test: TestPage): Promise<boolean> {
  return test.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
}

describe("access", () => {
  for (const [look, options] of Object.entries(LOOKS)) {
    it(`has nothing serious for axe: ${look}`, async () => {
      const test = await TestPage.open(browser, server.url, options);
      const check = async (what: string) => {
        expect(await seriousFindings(test), what).toEqual([]);
        expect(await isWiderThanWindow(test), what).toBe(false);
      };
      await check("welcome");
      await test.askBriefly();
      await test.ask("What is the capital of France?");
      await test.page.getByRole("button", { name: "Regenerate" }).click();
      await test.waitForAnswers();
      await check("an answer");
      await test.page.getByRole("button", { name: "Token probabilities" }).click();
      await test.page.getByRole("group", { name: /^Tokens/ }).focus();
      await check("tokens");
      await test.page.getByRole("button", { name: "Settings" }).click();
      await check("settings");
      await test.page.keyboard.press("Escape");
      await test.page.getByRole("button", { name: /^API key/ }).click();
      await check("the key");
      await test.page.keyboard.press("Escape");
      await test.page.getByRole("link", { name: "explain" }).click();
      await test.page.getByRole("img", { name: /in all/ }).waitFor();
      await check("one request");
      await test.page.getByRole("link", { name: "All requests" }).click();
      await test.page.getByRole("region", { name: "Requests" }).waitFor();
      await check("requests");
      await test.page.getByRole("link", { name: "Live", exact: true }).click();
      await test.page.getByText("KV cache").waitFor();
      await check("live");
      await test.page.getByRole("link", { name: "Models", exact: true }).click();
      await test.page.getByText("In memory", { exact: true }).waitFor();
      await check("models");
      await test.close();
    });
  }

  it("follows the system's theme until the switch says otherwise, and remembers", async () => {
    const test = await TestPage.open(browser, server.url, { colorScheme: "dark" });
    const background = () =>
      test.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await test.page.emulateMedia({ colorScheme: "light" });
    const light = await background();
    expect(light).not.toBe(dark);
    await test.page.getByRole("button", { name: /Switch to light/ }).click();
    await test.page.getByRole("button", { name: /Switch to dark/ }).click();
    expect(await background()).toBe(dark);
    await test.page.reload();
    expect(await background()).toBe(dark);
    await test.page.getByRole("button", { name: /Switch to system/ }).click();
    expect(await background()).toBe(light);
    await test.close();
  });
});
