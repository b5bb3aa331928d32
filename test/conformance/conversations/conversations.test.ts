/**
 * Whole conversations over /v1/responses and /v1/messages: every answer and every event as
 * vLLM 0.32 gave them (goldens.json), and no block held after any turn.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { untilIdle } from "../../compat/support.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { conversations, type Goldens } from "./all.ts";
import { play, type World } from "./play.ts";
import { makeThinkingFolder } from "./thinking-folder.ts";

const FOLDER = "models/bundled/trainyard-tiny";
const goldens = JSON.parse(
  readFileSync(new URL("./goldens.json", import.meta.url), "utf8"),
) as Goldens; // the script's

/** Where this server does otherwise on purpose, as server/README.md lists. */
const DEVIATIONS: readonly RegExp[] = [];

const differs = (name: string) => DEVIATIONS.some((one) => one.test(name));

it("are forty and more, each with vLLM's answers", () => {
  expect(goldens.vllm).toBe("0.32.0");
  expect(Object.keys(goldens.answers)).toEqual(conversations.map(({ name }) => name));
  expect(conversations.length).toBeGreaterThan(40);
});

describe.each(["plain", "thinks"] as const)("conversations, %s", (world: World) => {
  let server: TestServer;
  beforeAll(async () => {
    const folder = world === "plain" ? FOLDER : join(mkdtempSync(join(tmpdir(), "thinks-")), "m");
    if (world === "thinks") makeThinkingFolder(FOLDER, folder);
    server = await startServer([
      ...[folder, "--device", "cpu", "--served-model-name", "m", "--max-num-seqs", "16"],
      ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
      ...(world === "thinks" ? ["--reasoning-parser", "qwen3"] : []),
    ]);
  });
  afterAll(() => server.stop(0));

  it.each(conversations.filter((one) => one.world === world))("$name", async (one) => {
    const free = async () => {
      await untilIdle(server);
      expect(await server.metric("vllm:kv_cache_usage_perc")).toBe(0);
    };
    // A background response runs on between turns.
    const answers = await play(server.url, one, one.name.includes("background") ? undefined : free);
    await free();
    if (differs(one.name)) expect(answers).not.toEqual(goldens.answers[one.name]);
    else expect(answers).toEqual(goldens.answers[one.name]);
  });
});
