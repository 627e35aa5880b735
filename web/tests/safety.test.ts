import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, TestPage } from "./page";
import { QuireServer } from "./server";

let server: QuireServer;
let browser: Browser;

beforeAll(async () => {
  server = await QuireServer.start(["--api-key", "sesame"]);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

// An answer as a server would stream it, in pieces that cut words and tags.
function streamOf(text: string): string {
  const pieces = text.match(/[\s\S]{1,7}/g) ?? [];
  const events = pieces.map((content) => ({ choices: [{ index: 0, delta: { content } }] }));
  const last = {
    choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 2 },
  };
  return (
    [...events, last].map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") +
    "data: [DONE]\n\n"
  );
}

const HOSTILE = `
<script>window.hit = 1</script>
<img src=x onerror="window.hit = 2">
<svg><script>window.hit = 3</script><a xlink:href="javascript:window.hit=4">x</a></svg>
<iframe srcdoc="<script>parent.hit = 5</script>"></iframe>

One <a href="javascript:window.hit = 6">tempting</a> line, [also](javascript:window.hit=7),
<a href="https://elsewhere.example/" onclick="window.hit = 8">away</a> <b onmouseover=alert(1)>b</b>
<img src=x onerror="window.hit = 9"> and [encoded](&#106;avascript:window.hit=10)

<style>body { display: none }</style> <p style="position: fixed; inset: 0">cover</p>
<form action="https://elsewhere.example/"><input name="key"><button>send</button></form>
<object data="https://elsewhere.example/x"></object><embed src="https://elsewhere.example/y">
<base href="https://elsewhere.example/">
<math><mtext><table><mglyph><style><!--</style><img title="--><img src=x onerror=window.hit=11>">

![picture](https://elsewhere.example/p.png) ![bad](javascript:window.hit=12)
[data](data:text/html,<script>window.hit=13</script>) H<sub>2</sub>O and <br> a line

\`\`\`html
<script>window.hit = 14</script>
\`\`\`

Done, **really**.
`.trim();

describe("safety", () => {
  it("shows hostile Markdown as harmless text", async () => {
    const test = await TestPage.open(browser, server.url, { expected: /status of 401/ });
    await test.page.route("**/v1/chat/completions", (route) =>
      route.fulfill({ contentType: "text/event-stream", body: streamOf(HOSTILE) }),
    );
    await test.say("Attack!");
    await test.page.getByText("Done, really.").waitFor();
    await test.waitForAnswers();
    const answer = test.answers().last().locator(".markdown");
    const found = await answer.evaluate((element) => ({
      tags: [...new Set([...element.querySelectorAll("*")].map((one) => one.localName))].sort(),
      attributes: [...element.querySelectorAll("*")].flatMap((one) =>
        one.getAttributeNames().filter((name) => name.startsWith("on") || name === "style"),
      ),
      links: [...element.querySelectorAll("a")].map((link) => link.getAttribute("href")),
    }));
    for (const tag of [
      "script",
      "iframe",
      "svg",
      "img",
      "form",
      "input",
      "style",
      "object",
      "embed",
      "base",
      "meta",
      "math",
    ]) {
      expect(found.tags).not.toContain(tag);
    }
    expect(found.attributes).toEqual([]);
    expect(found.tags).toContain("sub");
    expect(found.links.filter(Boolean)).toEqual(["https://elsewhere.example/p.png"]);
    expect(await answer.innerText()).toContain("<iframe srcdoc=");
    for (const link of await answer.locator("a").all()) {
      if ((await link.getAttribute("href")) === null) await link.click();
    }
    expect(await test.page.evaluate(() => (window as { hit?: number }).hit)).toBeUndefined();
    expect((await answer.locator("pre").innerText()).trim()).toBe(
      "<script>window.hit = 14</script>",
    );
    await test.close();
  });

  it("runs no code that gets into the page by another way", async () => {
    const test = await TestPage.open(browser, server.url, {
      expected: /401|CSP|Content Security Policy|Trusted/,
    });
    const outcome = await test.page.evaluate(() => {
      const script = document.createElement("script");
      let isRefused = false;
      try {
        script.textContent = "window.hit = 1";
        document.head.append(script);
        document.body.innerHTML = "<img src=x onerror='window.hit = 2'>";
      } catch {
        isRefused = true;
      }
      return { isRefused, hit: (window as { hit?: number }).hit };
    });
    expect(outcome).toEqual({ isRefused: true, hit: undefined });
    await test.close();
  });

  it("asks for the API key, keeps it for the tab alone, and works with it", async () => {
    const test = await TestPage.open(browser, server.url, { expected: /status of 401/ });
    await test.page.getByText("This server asks for an API key.").waitFor();
    const enter = async (key: string) => {
      await test.page.getByRole("button", { name: "Enter key" }).click();
      await test.page.getByLabel("API key", { exact: true }).last().fill(key);
      await test.page.getByRole("button", { name: "Save" }).click();
    };
    await enter("wrong");
    await test.page.locator(".banner", { hasText: "does not accept this API key" }).waitFor();
    await enter("sesame");
    await test.page.locator(".banner").waitFor({ state: "detached" });
    await test.askBriefly(8);
    await test.ask("What is the capital of France?");
    expect(await test.answers().last().getAttribute("data-state")).toBe("complete");
    const kept = await test.page.evaluate(async () => ({
      session: sessionStorage.getItem("quire.key"),
      local: JSON.stringify({ ...localStorage }),
      databases: (await indexedDB.databases()).map(({ name }) => name),
    }));
    expect(kept.session).toBe("sesame");
    expect(kept.local).not.toContain("sesame");
    await test.close();
  });

  it("is sent with headers that confine it", async () => {
    const response = await fetch(server.url, { headers: { Accept: "text/html" } });
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    const json = await fetch(server.url, { headers: { Accept: "application/json" } });
    expect(json.headers.get("content-type")).toBe("application/json");
    const plain = await fetch(server.url);
    expect(plain.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  });
});
