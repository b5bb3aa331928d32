/**
 * The wire formats beside chat and completions: what vLLM 0.32 answered (goldens.json, made
 * by scripts/maintain/goldens/wire-formats.ts), event for event, with every block free after
 * each, whether the client stayed to the end or left.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, read, type WireGoldens } from "../../../scripts/maintain/goldens/wire-answer.ts";
import { untilIdle } from "../../compat/support.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const FOLDER = "models/bundled/trainyard-tiny";
const here = join("test", "conformance", "wire-formats", "goldens.json");
const goldens = JSON.parse(readFileSync(here, "utf8")) as WireGoldens; // written by its script

function served(more: readonly string[]): () => TestServer {
  let server: TestServer;
  beforeAll(async () => {
    server = await start(...more);
  });
  afterAll(() => server.stop(0));
  return () => server;
}
const start = (...more: readonly string[]): Promise<TestServer> =>
  startServer([
    ...[FOLDER, "--device", "cpu", "--served-model-name", "m", "--max-num-seqs", "16"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-scale-out", ...more],
  ]);

it("was asked of the folder that is served here", () => {
  const hash = createHash("sha256");
  for (const name of readdirSync(FOLDER).sort()) {
    hash.update(name).update(readFileSync(join(FOLDER, name)));
  }
  expect([goldens.vllm, goldens.folder]).toEqual(["0.32.0", hash.digest("hex").slice(0, 16)]);
});

describe("as vLLM answers", () => {
  const server = served([]);
  it.each(goldens.cases)("$name", async ({ status, lines, ...one }) => {
    const answer = await read(await ask(server().url, one));
    expect(answer).toEqual({ status, lines });
    await untilIdle(server());
  });
});

const streams = goldens.cases.filter(({ body }) => (body as { stream?: unknown })?.stream === true);

describe("left by its client", () => {
  // Beams without end find more of themselves in short blocks.
  const server = served(["--block-size", "16"]);
  it.each(streams.filter((_, at) => at % 2 === 0))("$name", async (one) => {
    const abort = new AbortController();
    const endless = { max_tokens: 900, max_output_tokens: 900, ignore_eos: true };
    const known = Object.keys(one.body ?? {}).some((name) => name === "max_tokens")
      ? { max_tokens: endless.max_tokens }
      : { max_output_tokens: endless.max_output_tokens };
    const { lines: _, status: __, ...request } = one;
    const response = await ask(
      server().url,
      { ...request, body: { ...one.body, ...known, ignore_eos: true } },
      abort.signal,
    );
    const reader = response.body?.getReader();
    await reader?.read();
    abort.abort();
    await expect(reader?.read()).rejects.toThrow();
    await untilIdle(server());
  });
});
