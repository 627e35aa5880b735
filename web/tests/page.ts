// A page of the tests: a headless Chromium that writes down whatever a person would find wrong:
// console errors and warnings, exceptions, violations of the content security policy, requests to
// anywhere else; and the gestures that the tests share.
import { expect } from "vitest";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const CHROMIUM = process.env.QUIRE_CHROMIUM ?? "/usr/bin/chromium";
const ANSWER_LIMIT_MS = 45_000;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

export class TestPage {
  readonly complaints: string[] = [];

  private constructor(
    readonly page: Page,
    readonly url: string,
  ) {}

  // `expected`: what the test provokes on purpose.
  static async open(
    browser: Browser,
    url: string,
    {
      path = "/",
      expected = /^$/,
      ...options
    }: BrowserContextOptions & {
      path?: string;
      expected?: RegExp;
    } = {},
  ): Promise<TestPage> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      acceptDownloads: true,
      ...options,
    });
    const page = await context.newPage();
    const test = new TestPage(page, url);
    const complain = (text: string) => {
      if (!expected.test(text)) test.complaints.push(text);
    };
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        complain(`console ${message.type()}: ${message.text()}`);
      }
    });
    page.on("pageerror", (error) => complain(`exception: ${error.stack}`));
    page.on("request", (request) => {
      const address = request.url();
      if (!address.startsWith(url) && !address.startsWith("blob:")) complain(`asks ${address}`);
    });
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    await page.goto(url + path);
    return test;
  }

  // Every test ends with this.
  async close(): Promise<void> {
    await this.page.context().close();
    expect(this.complaints).toEqual([]);
  }

  composer() {
    return this.page.getByRole("textbox", { name: "Message" });
  }

  answers(lane = 0) {
    return this.page.locator(".lane").nth(lane).locator(".message.assistant");
  }

  async openSettings(): Promise<void> {
    await this.page.getByRole("button", { name: "Settings" }).click();
  }

  // A column beside the chat, or a dialog over it.
  async closeSettings(): Promise<void> {
    if ((await this.page.locator("dialog[open]").count()) > 0) {
      await this.page.keyboard.press("Escape");
    } else {
      await this.openSettings();
    }
  }

  // The likeliest token each time, and not too many of them.
  async askBriefly(tokens = 24): Promise<void> {
    await this.openSettings();
    await this.page.getByLabel("Temperature").fill("0");
    await this.page.getByLabel("Max tokens").fill(String(tokens));
    await this.closeSettings();
  }

  async say(text: string): Promise<void> {
    await this.composer().fill(text);
    await this.composer().press("Enter");
  }

  async waitForAnswers(): Promise<void> {
    await this.page.waitForFunction(
      () =>
        document.querySelector(".message.assistant") &&
        !document.querySelector(".message[data-state=streaming]"),
      undefined,
      { timeout: ANSWER_LIMIT_MS },
    );
  }

  async ask(text: string): Promise<string> {
    await this.say(text);
    await this.waitForAnswers();
    return this.answers().last().locator(".markdown").innerText();
  }

  // The line below an answer.
  async facts(lane = 0): Promise<{ generated: number; prompt: number; cached: number }> {
    const text = await this.answers(lane).last().locator(".facts").innerText();
    const number = (pattern: RegExp) => {
      const found = pattern.exec(text)?.[1];
      expect(found, text).toBeDefined();
      return Number(found?.replaceAll(",", ""));
    };
    return {
      generated: number(/([\d,]+) tokens?\b/),
      prompt: number(/prompt ([\d,]+),/),
      cached: number(/([\d,]+) cached/),
    };
  }
}
