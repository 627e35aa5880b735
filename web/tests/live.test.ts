// The live view under load, and the explain view against the counters of usage.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

// Clients that generate until the function it gives is called.
async function load(clients: number): Promise<() => Promise<void>> {
  const model = (await server.json("/v1/models")).data[0].id;
  const controller = new AbortController();
  const streams = Array.from({ length: clients }, async (_, client) => {
    const response = await fetch(`${server.url}/v1/completions`, {
      method: "POST",
      signal: controller.signal,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        model,
        prompt: `Chapter ${client}. `.repeat(40),
        max_tokens: 4000,
        ignore_eos: true,
        stream: true,
      }),
    });
    await response.text();
  });
  return async () => {
    controller.abort();
    await Promise.allSettled(streams);
  };
}

describe("live", () => {
  it("moves under load, and asks only while it is seen", async () => {
    const test = await TestPage.open(browser, server.url, { path: "/#/live" });
    const tile = (id: string) => test.page.locator(`[data-tile=${id}]`);
    await tile("running").waitFor();
    expect(await tile("running").innerText()).toBe("0");
    const map = test.page.getByRole("img", { name: /blocks:/ });
    const idleMap = await map.getAttribute("aria-label");
    expect(idleMap).toMatch(/: 0 in use/);

    const stop = await load(4);
    await test.page.waitForFunction(
      () => document.querySelector("[data-tile=running]")?.textContent === "4",
    );
    await test.page.waitForFunction(
      () => Number(document.querySelector("[data-tile=generated]")?.textContent) > 0,
    );
    expect(await map.getAttribute("aria-label")).not.toBe(idleMap);
    expect(await test.page.locator(".block-map path.decode").getAttribute("d")).not.toBe("");
    const steps = test.page.getByRole("img", { name: /^Tokens in the last/ });
    const before = await steps.getAttribute("aria-label");
    await expect.poll(() => steps.getAttribute("aria-label"), { timeout: 15_000 }).not.toBe(before);
    await stop();
    await test.page.waitForFunction(
      () => document.querySelector("[data-tile=running]")?.textContent === "0",
    );
    // What the four have left behind is kept, and shown by age.
    await expect
      .poll(() => map.getAttribute("aria-label"), { timeout: 15_000 })
      .toMatch(/: 0 in use/);

    const ended = test.page.waitForEvent("requestfailed", {
      predicate: (request) => request.url().endsWith("/quire/status/stream"),
    });
    await test.page.getByRole("link", { name: "Chat", exact: true }).click();
    await ended;
    await test.close();
  });

  it("explains a request with the figures that its usage has", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly();
    await test.ask("What is the capital of France?");
    await test.ask("And of Italy?");
    const facts = await test.facts();
    const tokens = (await test.answers().last().locator(".facts a").getAttribute("href")) ?? "";
    await test.page.getByRole("link", { name: "explain" }).last().click();
    await test.page.getByRole("img", { name: /in all: queued .* prefill .* decode / }).waitFor();
    const tile = (id: string) => test.page.locator(`[data-tile=${id}]`).innerText();
    expect(Number(await tile("prompt"))).toBe(facts.prompt);
    expect(await test.page.locator(".life-tiles").innerText()).toContain(`${facts.cached} cached`);
    expect(Number(await tile("generated"))).toBe(facts.generated);
    expect(await tile("first-token")).toMatch(/\d m?s/);

    // The events add up to the same.
    const id = decodeURIComponent(tokens.split("/").at(-1) ?? "");
    const life = await server.json(`/debug/requests/${id}`);
    const sum = (field: string, kinds: string[]) =>
      life.events
        .filter((event: any) => kinds.includes(event.kind))
        .reduce((total: number, event: any) => total + (event[field] ?? 0), 0);
    expect(sum("tokens", ["prefill"])).toBe(facts.prompt - facts.cached);
    expect(sum("generated", ["prefill", "decode"])).toBe(facts.generated);

    await test.page.getByRole("link", { name: "All requests" }).click();
    await test.page.getByRole("link", { name: life.id }).click();
    await test.page.getByRole("heading", { name: life.id }).waitFor();
    await test.close();
  });

  it("says who a request shared its steps with", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly(40);
    await test.page.getByRole("button", { name: /^Compare/ }).click();
    await test.ask("Tell me about the sea.");
    await test.page.getByRole("link", { name: "explain" }).first().click();
    await test.page.getByText(/^Shared steps with/).waitFor();
    await test.page.locator(".companions a").first().click();
    await test.page.getByText(/^Shared steps with/).waitFor();
    await test.close();
  });

  it("says so when the server no longer knows a request", async () => {
    const test = await TestPage.open(browser, server.url, {
      path: "/#/requests/nothing-like-it",
      expected: /status of 404/,
    });
    await test.page.getByText("The server no longer knows this request.").waitFor();
    await test.close();
  });

  it("says so where the server offers none of it", async () => {
    const test = await TestPage.open(browser, server.url, { expected: /status of 404/ });
    await test.page.route(/\/quire\/status|\/debug\/requests/, (route) =>
      route.fulfill({ status: 404, json: { error: { message: "Invalid URL" } } }),
    );
    await test.page.getByRole("link", { name: "Live", exact: true }).click();
    await test.page.getByText("This server offers no live figures").waitFor();
    await test.page.getByRole("link", { name: "Requests", exact: true }).click();
    await test.page.getByText("This server does not explain requests").waitFor();
    await test.close();
  });
});
