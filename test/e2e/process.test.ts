/** The command as users run it: a process, its exit codes, its signals. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { CLI } from "../support/compiled.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Served {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exit: Promise<number | null>;
}

const trainyard = (...argv: string[]): Served => started(process.execPath, [CLI, ...argv]);

function started(command: string, argv: readonly string[]): Served {
  const child = spawn(command, argv);
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += String(data);
    });
  }
  const exit = once(child, "exit").then(([code]) => code as number | null);
  return { child, output: () => output, exit };
}

/** Starts on a free port, its steps so many ms long, and waits until it listens. */
async function served(
  stepMs: number,
  ...argv: string[]
): Promise<Served & { readonly url: string }> {
  const running = trainyard(
    "serve",
    "models/tiny/llama",
    "--device",
    "null",
    "--port",
    "0",
    "--additional-config",
    `{"null-step-nanos": ${stepMs * 1e6}}`,
    ...argv,
  );
  for (;;) {
    const url = /Serving .* on (http:[^"]+)"/.exec(running.output())?.[1];
    if (url !== undefined) return { ...running, url };
    const ended = await Promise.race([
      running.exit,
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20)),
    ]);
    if (ended !== undefined) throw new Error(`Ended with ${ended}: ${running.output()}`);
  }
}

/** In a process space of its own. */
const ALONE = ["--map-root-user", "--fork", "--pid", "--kill-child"];

/** So long that no stream ends by itself while it is looked at. */
const SLOW_MS = 100;

/** 500 steps. */
const longStream = (url: string) =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "a", max_tokens: 500, ignore_eos: true, stream: true }),
  });

describe("trainyard serve", () => {
  it("ends a stream with finish_reason abort on SIGTERM, and itself with 0", async () => {
    const { url, child, exit } = await served(SLOW_MS);
    const streams = await Promise.all(Array.from({ length: 8 }, () => longStream(url)));
    child.kill("SIGTERM");
    const texts = await Promise.all(streams.map((stream) => stream.text()));
    for (const text of texts) {
      expect(text).toContain('"finish_reason":"abort"');
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    }
    expect(await exit).toBe(0);
  });

  it("lets requests end within --shutdown-timeout", async () => {
    const { url, child, exit } = await served(2, "--shutdown-timeout", "30");
    const stream = await longStream(url);
    child.kill("SIGTERM");
    expect(await stream.text()).toContain('"finish_reason":"length"');
    expect(await exit).toBe(0);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  it("ends at once, cleanly, on a second signal, and drains on SIGHUP", async () => {
    const { child, url, exit, output } = await served(SLOW_MS, "--shutdown-timeout", "60");
    const stream = await longStream(url);
    child.kill("SIGHUP");
    // A signal is heard when its process comes to it, which may be after a request that came later.
    await expect.poll(async () => (await fetch(`${url}/health`)).status).toBe(503);
    // Not ready, but not to be started again.
    const [live, ready] = [await fetch(`${url}/livez?verbose`), await fetch(`${url}/readyz`)];
    expect([live.status, await live.text()]).toEqual([200, "draining"]);
    expect([ready.status, await ready.text()]).toEqual([503, "draining"]);
    child.kill("SIGTERM");
    expect(await exit).toBe(130);
    expect(await stream.text()).toContain('"finish_reason":"abort"');
    expect(output()).toContain("Stopped");
  });

  // unshare(1) makes process spaces on Linux, for root or where users may have spaces of their own.
  it.skipIf(spawnSync("unshare", [...ALONE, "true"]).status !== 0)(
    "ends at a signal while it starts as the first process of a container, and drains later",
    async () => {
      const contained = (...argv: string[]) =>
        started("unshare", [...ALONE, process.execPath, CLI, "serve", ...argv, "--port", "0"]);
      const inside = ({ child: { pid } }: Served): number =>
        Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
      const starting = contained("Qwen/Qwen3-0.6B", "--device", "trainium", "--simulate-startup");
      await expect.poll(starting.output, { timeout: 20_000 }).toContain("compileSeconds");
      process.kill(inside(starting), "SIGTERM");
      expect(await starting.exit).toBe(143);
      const ready = contained("models/tiny/llama", "--device", "null");
      await expect.poll(ready.output, { timeout: 20_000 }).toContain("Ready");
      process.kill(inside(ready), "SIGTERM");
      expect(await ready.exit).toBe(0);
    },
  );

  it("takes the place of a server that left its Unix socket behind", async () => {
    const socket = join(mkdtempSync(join(tmpdir(), "socket-")), "s");
    const first = trainyard("serve", "models/tiny/llama", "--device", "null", "--uds", socket);
    while (!first.output().includes("Ready")) await new Promise((done) => setTimeout(done, 50));
    const second = trainyard("serve", "models/tiny/llama", "--device", "null", "--uds", socket);
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(`another server listens on ${socket}`);
    first.child.kill("SIGKILL");
    await first.exit;
    const third = trainyard("serve", "models/tiny/llama", "--device", "null", "--uds", socket);
    while (!third.output().includes("Ready")) await new Promise((done) => setTimeout(done, 50));
    third.child.kill("SIGTERM");
    expect(await third.exit).toBe(0);
  });

  it("says in one line what is wrong and exits", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const address = blocker.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    const cases: readonly [string[], number, string][] = [
      [["serve", "--prot", "1"], 2, "trainyard serve: unknown option '--prot'"],
      [["serve", "no/such-model"], 1, 'trainyard serve: model "no/such-model"'],
      [
        ["serve", "models/tiny/llama", "--device", "null", "--port", port],
        1,
        `port ${port} on 127.0.0.1 is in use`,
      ],
      [
        ["serve", "models/tiny/llama", "--device", "trainium", "--instance", "nonsense"],
        1,
        'trainyard serve: --instance "nonsense" is not known',
      ],
      [["chat", "no/such-model"], 1, 'trainyard chat: model "no/such-model"'],
      [["nonsense"], 2, 'trainyard: unknown command "nonsense"'],
    ];
    await Promise.all(
      cases.map(async ([argv, code, message]) => {
        const { exit, output } = trainyard(...argv);
        expect(await exit).toBe(code);
        expect(output()).toContain(message);
        expect(output()).not.toMatch(/\n {4}at .*:\d+/);
      }),
    );
    blocker.close();
  });
});

describe("trainyard chat", () => {
  it("answers with a server of its own, then ends", async () => {
    const { exit, output } = trainyard("chat", "models/tiny/llama", "-q", "a", "--max-tokens", "3");
    expect(await exit).toBe(0);
    expect(output().trim()).not.toBe("");
  });
});
