import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, TestPage } from "./page";
import { MODEL, QuireServer } from "./server";

const BLOCK_TOKENS = 32; // of the KV cache
const QUESTION = "What is the capital of France?";

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

describe("chat", () => {
  it("is held over five turns, and each turn prefills only what is new", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    const turns = [
      QUESTION,
      "And of Italy?",
      "Which of the two is larger?",
      "Name a river in each of them.",
      "Thank you. Say goodbye in French.",
    ];
    let before = { generated: 0, prompt: 0, cached: 0 };
    for (const [turn, text] of turns.entries()) {
      const answer = await test.ask(text);
      if (turn === 0) expect(answer).toContain("Paris");
      const now = await test.facts();
      const known = before.prompt + before.generated;
      // The token that ended the answer was never fed, and only whole blocks are kept.
      if (turn > 0) {
        const whole = Math.floor((known - 1) / BLOCK_TOKENS) * BLOCK_TOKENS;
        expect(now.cached, `turn ${turn + 1}`).toBeGreaterThanOrEqual(whole);
      }
      expect(now.prompt).toBeGreaterThan(known);
      before = now;
    }
    expect(await test.page.locator(".message").count()).toBe(10);
    await test.close();
  });

  it("streams: the answer grows while it comes", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly(120);
    await test.say("Tell me a story about the sea.");
    const answer = test.answers().last().locator(".markdown");
    await answer.waitFor();
    const early = (await answer.innerText()).length;
    await test.waitForAnswers();
    expect((await answer.innerText()).length).toBeGreaterThan(early);
    await test.close();
  });

  it("stops at once, and the server with it", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly(4000);
    await test.page.route("**/v1/chat/completions", (route) => {
      const body = route.request().postDataJSON() as object;
      return route.continue({ postData: JSON.stringify({ ...body, ignore_eos: true }) });
    });
    await test.say("Count from one to a thousand, one number a line.");
    await test.answers().last().locator(".markdown").waitFor();
    await test.page.getByRole("button", { name: "Stop" }).click();
    await test.waitForAnswers();
    expect(await test.answers().last().getAttribute("data-state")).toBe("stopped");
    await server.waitForMetric("quire_requests_running", 0);

    await test.say("Again.");
    await test.answers().nth(1).locator(".markdown").waitFor();
    await test.page.keyboard.press("Escape");
    await test.waitForAnswers();
    expect(await test.answers().last().getAttribute("data-state")).toBe("stopped");
    await server.waitForMetric("quire_requests_running", 0);
    await test.close();
  });

  it("makes branches of edited messages and goes between them", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    const first = await test.ask(QUESTION);
    await test.ask("Are you sure?");
    await test.page.locator(".message.user").first().hover();
    await test.page.getByRole("button", { name: "Edit" }).first().click();
    await test.page.getByLabel("Edit the message").fill("What is the capital of Italy?");
    await test.page.locator(".editor").getByRole("button", { name: "Send" }).click();
    await test.waitForAnswers();
    const second = await test.answers().last().locator(".markdown").innerText();
    expect(second).not.toBe(first);
    expect(await test.page.locator(".message").count()).toBe(2);
    expect(await test.page.getByRole("group", { name: "Versions" }).innerText()).toContain("2 / 2");

    await test.page.getByRole("button", { name: "Previous version" }).click();
    expect(await test.page.locator(".message").count()).toBe(4);
    expect(await test.answers().first().locator(".markdown").innerText()).toBe(first);
    await test.page.getByRole("button", { name: "Next version" }).click();
    expect(await test.answers().first().locator(".markdown").innerText()).toBe(second);
    await test.close();
  });

  it("asks again and keeps both answers", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    const first = await test.ask(QUESTION);
    await test.page.getByRole("button", { name: "Regenerate" }).click();
    await test.waitForAnswers();
    expect(await test.page.getByRole("group", { name: "Versions" }).innerText()).toContain("2 / 2");
    // Temperature 0: the answer does not depend on what the cache held.
    expect(await test.answers().last().locator(".markdown").innerText()).toBe(first);
    const { prompt, cached } = await test.facts();
    expect(cached).toBe(prompt - 1);
    await test.close();
  });

  it("compares two models side by side", async () => {
    const two = await QuireServer.start(
      ["--served-model-name", "left", "right", "--num-kv-blocks", "512"],
      [MODEL, MODEL],
    );
    const test = await TestPage.open(browser, two.url);
    await test.askBriefly();
    await test.ask(QUESTION);
    await test.page.getByRole("button", { name: /^Compare/ }).click();
    expect(await test.page.getByLabel("Model 1").inputValue()).toBe("left");
    expect(await test.page.getByLabel("Model 2").inputValue()).toBe("right");
    await test.ask("And of Italy?");
    for (const [lane, name] of ["left", "right"].entries()) {
      expect(await test.answers(lane).count()).toBe(2);
      expect((await test.facts(lane)).generated).toBeGreaterThan(0);
      const label = await test.answers(lane).last().getAttribute("aria-label");
      expect(label).toBe(`Answer of ${name}`);
    }
    // The same file behind both names, the likeliest tokens: the same answer twice.
    const texts = await Promise.all(
      [0, 1].map((lane) => test.answers(lane).last().locator(".markdown").innerText()),
    );
    expect(texts[0]).toBe(texts[1]);
    await test.page
      .getByRole("button", { name: /^Close the side/ })
      .last()
      .click();
    expect(await test.page.locator(".lane").count()).toBe(1);

    await test.page.getByRole("link", { name: "Live", exact: true }).click();
    await test.page.getByRole("button", { name: "right" }).click();
    await test.page.getByRole("heading", { name: "right" }).waitFor();
    await test.close();
    await two.stop();
  });

  it("shows the probabilities of tokens to the mouse and to the keyboard", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    await test.ask(QUESTION);
    await test.page.getByRole("button", { name: "Token probabilities" }).click();
    const { generated } = await test.facts();
    expect(await test.page.locator(".token").count()).toBe(generated);
    await test.page.locator(".token").nth(2).hover();
    const rows = test.page.locator(".token-card tr");
    expect(await rows.count()).toBe(5);
    expect(await rows.first().getAttribute("class")).toBe("is-chosen");
    expect(await rows.first().innerText()).toMatch(/\d %/);
    await test.page.mouse.move(0, 0);
    await test.page.getByRole("group", { name: /^Tokens/ }).focus();
    await test.page.keyboard.press("ArrowRight");
    expect(await test.page.locator(".token.is-active").getAttribute("data-token")).toBe("1");
    await test.close();
  });

  it("sends the system prompt and the sampling fields that are set, and no other", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.openSettings();
    await test.page.getByLabel("System prompt").fill("Answer in one word.");
    await test.page.getByLabel("Temperature").fill("0.5");
    await test.page.getByLabel("Top k").fill("20");
    await test.page.getByLabel("Seed").fill("7");
    await test.page.getByLabel("Max tokens").fill("8");
    await test.page.getByLabel(/^Stop at/).fill("\\n\nEND");
    await test.page.getByLabel("Top p").fill("7");
    expect(await test.page.getByLabel("Top p").getAttribute("aria-invalid")).toBe("true");
    const sent = test.page.waitForRequest("**/v1/chat/completions");
    await test.say("Say yes.");
    const { model, ...body } = (await sent).postDataJSON() as Record<string, unknown>;
    expect(model).toBeTruthy();
    expect(body).toEqual({
      messages: [
        { role: "system", content: "Answer in one word." },
        { role: "user", content: "Say yes." },
      ],
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.5,
      top_k: 20,
      seed: 7,
      max_tokens: 8,
      stop: ["\\n", "END"],
      logprobs: true,
      top_logprobs: 5,
    });
    await test.waitForAnswers();
    expect(await test.answers().last().getAttribute("data-state")).toBe("complete");
    await test.close();
  });

  it("exports the conversation as Markdown and as JSON", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    const answer = await test.ask(QUESTION);
    await test.openSettings();
    const saved = async (name: string) => {
      const download = test.page.waitForEvent("download");
      await test.page.getByRole("button", { name, exact: true }).click();
      const file = await download;
      return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
    };
    const markdown = await saved("Markdown");
    expect(markdown.name).toBe("what-is-the-capital-of-france.md");
    expect(markdown.text).toContain(`### You\n\n${QUESTION}`);
    expect(markdown.text).toContain(answer);
    const json = JSON.parse((await saved("JSON")).text);
    expect(json.title).toBe(QUESTION);
    expect(Object.values<any>(json.lanes[0].tree.messages).map(({ role }) => role)).toEqual([
      "user",
      "assistant",
    ]);
    await test.close();
  });

  it("is kept in the browser, can be deleted, and the deletion undone", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    const answer = await test.ask(QUESTION);
    await test.page.waitForTimeout(800); // it is saved a moment later
    await test.page.reload();
    const item = test.page.locator(".conversations").getByText(QUESTION);
    await item.click();
    expect(await test.answers().last().locator(".markdown").innerText()).toBe(answer);
    await item.hover();
    await test.page.getByRole("button", { name: /^Delete/ }).click();
    expect(await item.count()).toBe(0);
    await test.page.getByRole("button", { name: "Undo" }).click();
    expect(await test.answers().last().locator(".markdown").innerText()).toBe(answer);
    await test.close();
  });

  it("can be used by keyboard alone", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const names: string[] = [];
    for (let i = 0; i < 30 && !names.includes("Message"); ++i) {
      await test.page.keyboard.press("Tab");
      names.push(
        await test.page.evaluate(() => {
          const element = document.activeElement;
          return element?.getAttribute("aria-label") ?? element?.textContent ?? "";
        }),
      );
    }
    expect(names).toContain("Message");
    for (const name of ["Chat", "Live", "Requests", "Settings"]) expect(names).toContain(name);
    await test.page.keyboard.type(QUESTION);
    await test.page.keyboard.press("Enter");
    await test.answers().last().waitFor();
    await test.page.keyboard.press("Escape");
    await test.waitForAnswers();
    await test.close();
  });

  it("says in a sentence what went wrong", async () => {
    const test = await TestPage.open(browser, server.url, {
      expected: /Failed to load|ERR_FAILED/,
    });
    await test.openSettings();
    await test.page.getByLabel("Max tokens").fill("999999");
    await test.say(QUESTION);
    const error = test.page.locator(".message .error");
    await error.waitFor();
    expect(await error.innerText()).toMatch(/maximum context length/);
    await test.page.route("**/v1/chat/completions", (route) => route.abort());
    await test.page.getByRole("button", { name: "Regenerate" }).click();
    await test.page.getByText("The server cannot be reached. Is it still running?").waitFor();
    await test.close();
  });
});
