/** `trainyard eval`, against a server that answers as it is told, and two of its results compared. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run as compare } from "../../scripts/commands/compare/main.ts";
import * as evaluation from "../../scripts/commands/eval/main.ts";
import { startServer, type TestServer } from "../../server/testing/testing.ts";
import { runCommand } from "../support/command.ts";

const folder = mkdtempSync(join(tmpdir(), "eval-"));
const path = (name: string): string => join(folder, name);
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object" } } }];
const QUESTIONS = [
  { id: "t", raw: true, prompt: "one two", expect: { text: "three" } },
  { id: "c", prompt: "Yes or no?", expect: { choice: "no", choices: ["yes", "no"] } },
  { id: "j", prompt: "JSON?", expect: { json: { a: 1 } } },
  { id: "k", prompt: "Look!", tools, expect: { call: { name: "look", arguments: { at: 2 } } } },
  { id: "e", prompt: "Fail!", expect: { text: "x" } },
];
let server: TestServer;

beforeAll(async () => {
  writeFileSync(path("q.jsonl"), QUESTIONS.map((line) => JSON.stringify(line)).join("\n"));
  server = await startServer({
    matches: [
      { match: { user: "one two" }, answer: " three four five six seven" },
      { match: { user: "Yes or no?" }, answer: "No." },
      { match: { user: "JSON?" }, answer: '{"a": 1}' },
      { match: { user: "Look!" }, answer: { calls: [{ name: "look", arguments: { at: 2 } }] } },
      { match: { user: "Fail!" }, answer: { error: { status: 500 } } },
    ],
  });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describe("trainyard eval", () => {
  it("counts what is right, of each kind and of all, beside the times", async () => {
    const out = path("a.json");
    const { code, text } = await runCommand(
      evaluation,
      `${path("q.jsonl")} --base-url ${server.baseURL} --out ${out} --concurrency 2 --wrong --quiet`,
    );
    expect(code).toBe(0);
    expect(text).toMatch(/^kind +items +failed +right % +95 % interval +TTFT p50 ms/);
    expect(text).toMatch(/^text +2 +1 +50\.0 /m);
    expect(text).toMatch(/^call +1 +0 +100\.0 /m);
    expect(text).toMatch(/^all +5 +1 +80\.0 /m);
    expect(text).toContain('e (text): "HTTP 500');
    const result = JSON.parse(readFileSync(out, "utf8"));
    expect(
      result.answers.map(({ id, right }: { id: string; right: boolean }) => [id, right]),
    ).toEqual([
      ["t", true],
      ["c", true],
      ["j", true],
      ["k", true],
      ["e", false],
    ]);
    expect(result.answers[0].tpotMs).toBeGreaterThan(0);
  });

  it("is compared question by question", async () => {
    await server.answer({ user: "JSON?" }, "none");
    await runCommand(
      evaluation,
      `${path("q.jsonl")} --base-url ${server.url} --out ${path("b.json")} --quiet`,
    );
    await server.reset();
    const { code, text } = await runCommand(
      { run: compare },
      `${path("a.json")} ${path("b.json")}`,
    );
    expect(code).toBe(0);
    expect(text).toContain(
      "A and B answer 80.0 % and 60.0 % of 5 questions rightly: B − A is -20.0 points",
    );
    expect(text).toContain("does not differ beyond chance (p 1.000)");
    expect(text).toMatch(/^json +1 +100\.0 +0\.0 +-100\.0 .* 1 +0 +1\.000$/m);
    expect(text).toMatch(/^TTFT p50 ms/m);
  });

  it("starts a server of its own by the flags of serve", async () => {
    const { code, text } = await runCommand(evaluation, `${path("q.jsonl")} --device null --quiet`);
    expect(code).toBe(0);
    expect(text).toMatch(/^all +5 +0 /m);
  });

  it("refuses what it cannot do, with the words at fault", async () => {
    const refused = (line: string) => runCommand(evaluation, line);
    await expect(refused("")).rejects.toThrow("Name the file");
    await expect(refused(path("none.jsonl"))).rejects.toThrow("none.jsonl");
    await expect(refused(`${path("q.jsonl")} --base-url http://x --device cpu`)).rejects.toThrow(
      "--device means nothing beside --base-url",
    );
    await expect(refused(`${path("q.jsonl")} --devise cpu`)).rejects.toThrow("devise");
    const other = JSON.parse(readFileSync(path("a.json"), "utf8"));
    writeFileSync(
      path("c.json"),
      JSON.stringify({ ...other, questions: { name: "r", sha256: "r" } }),
    );
    await expect(
      runCommand({ run: compare }, `${path("a.json")} ${path("c.json")}`),
    ).rejects.toThrow("not the same questions");
  });
});
