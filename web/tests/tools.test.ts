// Thoughts, calls of tools and the editors of what an answer may be. The first answer of a test is
// told by the test itself, so that there is a thought and a call in it; the page around it is real.
import type { Browser, Route } from "playwright-core";
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

const CALL = { index: 0, id: "call_1", function: { name: "weather", arguments: '{"city":' } };

function told(deltas: object[], finish: string): string {
  const chunks = deltas.map((delta) => ({ choices: [{ index: 0, delta, finish_reason: null }] }));
  const last = { choices: [{ index: 0, delta: {}, finish_reason: finish }] };
  return [...chunks, last, "[DONE]"]
    .map((data) => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`)
    .join("");
}

// Answers the first question; later ones reach the server. Gives the bodies that were sent.
async function tellFirst(test: TestPage, deltas: object[], finish: string): Promise<any[]> {
  const bodies: any[] = [];
  await test.page.route("**/v1/chat/completions", async (route: Route) => {
    bodies.push(route.request().postDataJSON());
    if (bodies.length > 1) return route.continue();
    return route.fulfill({ contentType: "text/event-stream", body: told(deltas, finish) });
  });
  return bodies;
}

describe("thoughts", () => {
  it("are folded above the answer", async () => {
    const test = await TestPage.open(browser, server.url);
    await tellFirst(
      test,
      [{ reasoning_content: "Let me " }, { reasoning_content: "see." }, { content: "Four." }],
      "stop",
    );
    expect(await test.ask("Two and two?")).toBe("Four.");
    const thought = test.answers().last().locator(".thought");
    expect(await thought.getAttribute("open")).toBeNull();
    await thought.locator("summary").click();
    expect(await thought.locator(".thought-text").innerText()).toBe("Let me see.");
    await test.close();
  });
});

describe("tools", () => {
  it("are offered, called, and their results are answered", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.askBriefly(8);
    await test.openSettings();
    await test.page.getByRole("button", { name: "Insert an example" }).first().click();
    await test.page.getByLabel("Calls").selectOption("none");
    await test.closeSettings();
    const bodies = await tellFirst(
      test,
      [
        { tool_calls: [CALL] },
        { tool_calls: [{ index: 0, function: { arguments: '"Oslo"}' } }] },
      ],
      "tool_calls",
    );
    await test.say("The weather in Oslo?");
    await test.waitForAnswers();
    const call = test.answers().last().locator(".call");
    expect(await call.locator("pre").innerText()).toBe('{\n  "city": "Oslo"\n}');
    expect(await seriousFindings(test)).toEqual([]);
    await call.getByLabel("Result of weather").fill("12 degrees");
    await test.page.getByRole("button", { name: "Send result" }).click();
    await test.page.waitForFunction(
      () => document.querySelectorAll(".message.assistant").length === 2,
    );
    await test.waitForAnswers();
    expect(bodies[0].tools[0].function.name).toBe("weather");
    expect(bodies[0].tool_choice).toBe("none");
    const [assistant, result] = bodies[1].messages.slice(-2);
    expect(assistant.tool_calls[0].function).toEqual({
      name: "weather",
      arguments: '{"city":"Oslo"}',
    });
    expect(result).toEqual({ role: "tool", content: "12 degrees", tool_call_id: "call_1" });
    expect(await test.answers().last().locator(".error").count()).toBe(0);
    await test.close();
  });
});

describe("the editors", () => {
  it("say what is wrong with a text, and leave it out", async () => {
    const test = await TestPage.open(browser, server.url);
    await test.openSettings();
    await test.page.getByLabel("Schema").fill("[1");
    const schema = test.page.locator("#json-schema");
    expect(await schema.getAttribute("aria-invalid")).toBe("true");
    expect(await test.page.locator("#json-schema-error").innerText()).not.toBe("");
    await test.closeSettings();
    const bodies = await tellFirst(test, [{ content: "Hi." }], "stop");
    await test.ask("Hello");
    expect(bodies[0].response_format).toBeUndefined();
    await test.close();
  });
});
