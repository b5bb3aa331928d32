/** Commands that ask a server, run as they are typed. */
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as bench from "../../scripts/commands/bench/main.ts";
import * as chat from "../../scripts/commands/chat.ts";
import * as health from "../../scripts/commands/health.ts";
import { figuresOf, runCommand } from "../support/command.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer(["models/tiny/llama", "--device", "null", "--api-key", "secret"]);
});
afterAll(() => server.stop(0));

/** What is typed at the prompt, line by line. */
async function typed(lines: readonly string[], flags: string) {
  const keys = new PassThrough();
  const input = vi.spyOn(process, "stdin", "get").mockReturnValue(keys as never);
  keys.end(`${lines.join("\n")}\n`);
  const ran = await runCommand(chat, flags);
  input.mockRestore();
  return ran;
}

describe("trainyard chat", () => {
  it("asks once, and tells tokens and times", async () => {
    const flags = `--url ${server.url} --api-key secret --quick Hello --max-tokens 8 --stats`;
    const { code, text } = await runCommand(chat, flags);
    expect(code).toBe(0);
    expect(text).toMatch(/^\[\d+ tokens, first after \d+ ms, \d+(\.\d+)? tokens\/s\]$/m);
    expect(figuresOf(text, /^.*\[/)[0]).toBeLessThanOrEqual(8);
  });

  it("talks in turns, takes commands, and leaves when told", async () => {
    const flags = `--url ${server.url}/ --api-key secret --max-tokens 4 --system-prompt Be_kind --temperature 0`;
    const { code, text } = await typed(["/help", "Hello", "/nothing", "/exit"], flags);
    expect(code).toBe(0);
    expect(text).toContain("/help for commands, /exit to leave");
    expect(text).toMatch(/\/nothing/);
    expect(text.split("> ").length).toBeGreaterThan(3);
  });

  it("says what a server refuses, and starts one of its own without --url", async () => {
    const refused = runCommand(chat, `--url ${server.url} --api-key wrong --quick Hello`);
    await expect(refused.then(({ code }) => code)).rejects.toThrow(/401|Unauthorized/i);
    const { code, text } = await runCommand(chat, "models/tiny/llama --quick Hello --max-tokens 3");
    expect(code).toBe(0);
    expect(text.length).toBeGreaterThan(1);
  });
});

describe("trainyard bench", () => {
  it("prints vLLM's table of what it measured", async () => {
    const flags =
      "--num-prompts 6 --input-len 16 --output-len 4 --max-concurrency 2 --ignore-eos --disable-tqdm";
    const argv = ["serve", "--base-url", server.url, ...flags.split(" ")];
    const key = "--header=Authorization=Bearer secret";
    const { code, text } = await runCommand(bench, [...argv, key]);
    expect(code).toBe(0);
    expect(figuresOf(text, /^Successful requests:/)).toEqual([6]);
    expect(figuresOf(text, /^Total generated tokens:/)).toEqual([24]);
    expect(text).toMatch(/^! few-requests: /m);
    expect(text).not.toContain("secret");
    await expect(runCommand(bench, argv)).rejects.toThrow(/401|Unauthorized/i);
  });

  it("tells its two kinds, and refuses a third", async () => {
    expect(await runCommand(bench, "")).toMatchObject({ code: 2 });
    expect((await runCommand(bench, "--help")).text).toContain("replay");
    await expect(runCommand(bench, "server")).rejects.toThrow("known: serve, replay");
  });
});

describe("trainyard health", () => {
  it("asks where a server with these flags listens", async () => {
    const port = new URL(server.url).port;
    expect(await runCommand(health, `--port ${port}`)).toEqual({ code: 0, text: "200\n" });
    const nobody = await runCommand(health, "--port 1");
    expect(nobody.code).toBe(1);
    expect(nobody.text).not.toBe("200\n");
  });
});
