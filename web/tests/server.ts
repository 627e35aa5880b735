// Starts `quire serve` for the browser tests: the release build and the default model on a free
// port. QUIRE_BINARY and QUIRE_TEST_MODEL name another binary or model.
import { type ChildProcess, spawn } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = process.env.QUIRE_BINARY ?? join(ROOT, "build/release/quire");
const STORE = process.env.QUIRE_HOME ?? join(homedir(), ".local/share/quire");
export const MODEL =
  process.env.QUIRE_TEST_MODEL ?? join(STORE, "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

export class QuireServer {
  private constructor(
    private readonly process: ChildProcess,
    readonly url: string,
  ) {}

  // `models`: files, each served under its own name unless the arguments say otherwise.
  static async start(args: string[] = [], models: string[] = [MODEL]): Promise<QuireServer> {
    const process = spawn(BINARY, ["serve", ...models, "--port", "0", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    const url = await new Promise<string>((found, failed) => {
      const timer = setTimeout(
        () => failed(new Error(`no server in time:\n${log}`)),
        READY_LIMIT_MS,
      );
      const read = (bytes: Buffer) => {
        log += bytes.toString();
        const address = /http:\/\/127\.0\.0\.1:([1-9]\d*)/.exec(log)?.[0];
        if (!address) return;
        clearTimeout(timer);
        found(address);
      };
      process.stdout?.on("data", read);
      process.stderr?.on("data", read);
      process.on("error", failed);
      process.on("exit", (status) => failed(new Error(`quire ended with ${status}:\n${log}`)));
    });
    return new QuireServer(process, url);
  }

  // SIGTERM has to drain it to an exit status of 0.
  async stop(): Promise<void> {
    const ended = new Promise<number | null>((done) => this.process.on("exit", done));
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), STOP_LIMIT_MS);
    const status = await ended;
    clearTimeout(timer);
    if (status !== 0) throw new Error(`quire ended with ${status}`);
  }

  async json(path: string, init: RequestInit = {}): Promise<any> {
    return (await fetch(this.url + path, init)).json();
  }

  // The sum over all models; NaN if there is no such metric.
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const values = text
      .split("\n")
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
    return values.length > 0 ? values.reduce((sum, value) => sum + value) : Number.NaN;
  }

  async waitForMetric(name: string, wanted: number): Promise<void> {
    const deadline = Date.now() + 20_000;
    while ((await this.metric(name)) !== wanted) {
      if (Date.now() > deadline) throw new Error(`${name} did not become ${wanted}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
