/** OpenAI's batch files: every line answered, in order, as the route would answer it. */
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { openOutput, readInput } from "../../scripts/commands/batch-files.ts";
import { readBatch, run } from "../../scripts/commands/run-batch.ts";

const messages = [{ role: "user", content: "hello" }];
const chat = (id: number, body: object = {}) => ({
  ...{ custom_id: `r-${id}`, method: "POST", url: "/v1/chat/completions" },
  body: { messages, max_tokens: 3, ignore_eos: true, ...body },
});

async function batch(lines: readonly object[], more: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), "batch-"));
  const [input, output] = [join(folder, "in.jsonl"), join(folder, "out.jsonl")];
  writeFileSync(input, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n\n`);
  const said = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const files = ["-i", input, `--output-file=${output}`];
  const code = await run(["models/tiny/llama", "--device", "null", ...files, ...more]);
  const text = said.mock.calls.join("");
  said.mockRestore();
  const answers = readFileSync(output, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { code, text, answers };
}

describe("run-batch", () => {
  it("answers more lines than are under way at once, in their order", async () => {
    const lines = Array.from({ length: 600 }, (_, i) => chat(i, { max_tokens: 1 + (i % 4) }));
    const { code, text, answers } = await batch(lines, ["--api-key", "k"]);
    expect(code).toBe(0);
    expect(text).toContain("600 requests, 0 of them failed");
    expect(answers.map(({ custom_id }) => custom_id)).toEqual(lines.map((line) => line.custom_id));
    expect(answers.map(({ response }) => response.body.usage.completion_tokens)).toEqual(
      lines.map(({ body }) => body.max_tokens),
    );
    expect(answers.every(({ id, error }) => /^vllm-[0-9a-f]{16}$/.test(id) && error === null)).toBe(
      true,
    );
  });

  it("keeps a failure to its own line", async () => {
    const { text, answers } = await batch([
      chat(0, { temperature: 9 }),
      chat(1, { stream: true }),
      { ...chat(2), url: "/v1/embeddings" },
      { ...chat(3), url: "/v1/responses", body: { input: "hello", max_output_tokens: 2 } },
      chat(4),
    ]);
    expect(answers.map(({ response }) => response.status_code)).toEqual([400, 400, 400, 200, 200]);
    expect(answers[0]).toMatchObject({ response: { body: null }, error: { error: { code: 400 } } });
    expect(answers[1].error).toContain("stream");
    expect(answers[2].error).toContain("/v1/embeddings");
    expect(text).toContain("3 of them failed");
  });

  it("embeds, scores and ranks where the model pools", async () => {
    const line = (url: string, body: object) => ({ custom_id: url, method: "POST", url, body });
    const { answers } = await batch(
      [
        line("/v1/embeddings", { input: ["hello", "there"] }),
        line("/v1/score", { text_1: "hello", text_2: "there" }),
        line("/v2/rerank", { query: "hello", documents: ["there", "hello"] }),
        line("/v1/chat/completions", { messages }),
      ],
      ["--runner", "pooling", "--device", "cpu"],
    );
    expect(answers[0].response.body.data).toHaveLength(2);
    expect(answers[1].response.body.data).toHaveLength(1);
    expect(answers[2].response.body.results).toHaveLength(2);
    expect(answers[3].error).toBe("Model does not support endpoint: /v1/chat/completions");
  });

  it("gets its lines from a URL and puts the answers at one, again where that fails", async () => {
    const puts: string[] = [];
    const server = createServer(async (request, response) => {
      if (request.method === "GET") {
        response.statusCode = request.url === "/in" ? 200 : 404;
        response.end(`\ufeff${JSON.stringify(chat(7))}\r\n`);
        return;
      }
      puts.push((await request.toArray()).join(""));
      response.statusCode = puts.length === 1 ? 503 : 201;
      response.end("busy");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const quiet = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    expect(readBatch(await readInput(`${url}/in`))).toEqual([chat(7)]);
    await expect(readInput(`${url}/none`)).rejects.toThrow("the server answers 404");
    const folder = mkdtempSync(join(tmpdir(), "batch-"));
    const { file, finish, close } = await openOutput(`${url}/out`, folder, 0);
    await file.write("{}\n");
    await finish();
    await close();
    expect(puts).toEqual(["{}\n", "{}\n"]);
    expect(quiet.mock.calls.join("")).toContain("(attempt 1 of 5): 503 busy");
    expect(readdirSync(folder)).toEqual([]);
    quiet.mockRestore();
    server.close();
    await expect(readInput(`${url}/in`)).rejects.toThrow(`--input-file ${url}/in: `);
  });

  it.each([
    ["{", "Line 1 of the batch is not JSON"],
    ["\n[]", "Line 2 of the batch has no `custom_id`"],
    ['{"custom_id": "a", "method": "POST"}', "has no `url`"],
    ['{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}', "has no `body`"],
  ])("says which line of %j is no request", (text, words) => {
    expect(() => readBatch(text)).toThrow(words);
  });

  it("wants both files", async () => {
    await expect(run(["-i", "a"])).rejects.toThrow("-o OUTPUT");
    await expect(run(["-i"])).rejects.toThrow("needs a value");
  });
});
