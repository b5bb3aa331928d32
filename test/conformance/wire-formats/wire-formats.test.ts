/**
 * The wire formats beside chat and completions: what vLLM 0.32 answered (goldens.json, made
 * by scripts/maintain/goldens/wire-formats.ts), event for event, with every block free after
 * each, whether the client stayed to the end or left.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  ask,
  read,
  type WireCase,
  type WireGoldens,
} from "../../../scripts/maintain/goldens/wire-answer.ts";
import { untilIdle } from "../../compat/support.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const FOLDER = "models/bundled/trainyard-tiny";
const here = join("test", "conformance", "wire-formats", "goldens.json");
const goldens = JSON.parse(readFileSync(here, "utf8")) as WireGoldens; // written by its script

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    ...[FOLDER, "--device", "cpu", "--served-model-name", "m", "--max-num-seqs", "16"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-scale-out"],
  ]);
});
afterAll(() => server.stop(0));

it("was asked of the folder that is served here", () => {
  const hash = createHash("sha256");
  for (const name of readdirSync(FOLDER).sort()) {
    hash.update(name).update(readFileSync(join(FOLDER, name)));
  }
  expect([goldens.vllm, goldens.folder]).toEqual(["0.32.0", hash.digest("hex").slice(0, 16)]);
});

it.each(goldens.cases)("as vLLM answers: $name", async ({ status, lines, ...one }) => {
  const answer = await read(await ask(server.url, one));
  expect(answer).toEqual({ status, lines });
  await untilIdle(server);
});

interface Body {
  readonly stream?: boolean;
  readonly use_beam_search?: boolean;
  readonly max_tokens?: number;
}
const bodyOf = (one: WireCase): Body => one.body ?? {};
const streams = goldens.cases.filter((one) => bodyOf(one).stream === true);

it.each(streams.filter((_, at) => at % 2 === 0))("left by its client: $name", async (one) => {
  const abort = new AbortController();
  const { lines: _, status: __, ...request } = one;
  const most = bodyOf(one).max_tokens === undefined ? "max_output_tokens" : "max_tokens";
  const endless = { ...one.body, [most]: 900, ignore_eos: true };
  const asked = ask(server.url, { ...request, body: endless }, abort.signal);
  let left: Promise<unknown> = asked;
  if (bodyOf(one).use_beam_search) {
    // Tells nothing before it is over.
    await expect.poll(() => server.world.serving.engines.running).toBeGreaterThan(0);
    abort.abort();
  } else {
    const reader = (await asked).body?.getReader();
    await reader?.read();
    abort.abort();
    left = reader?.read() ?? asked;
  }
  await expect(left).rejects.toThrow();
  await untilIdle(server);
});
