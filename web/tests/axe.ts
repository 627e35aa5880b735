// What axe finds serious on a page as it stands.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { TestPage } from "./page";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Finding {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

export async function seriousFindings(test: TestPage): Promise<string[]> {
  await test.page.evaluate(AXE);
  const findings = await test.page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
    return (await axe.run()).violations as Finding[];
  });
  return findings
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}\n${node.failureSummary}`));
}
