import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replayTable } from "../../../scripts/commands/replay/main.ts";
import { replayVirtual } from "../../../scripts/commands/replay/replay.ts";
import type { SystemSpec } from "../../../scripts/virtual/build.ts";
import { buildSystem } from "../../../scripts/virtual/system.ts";
import { linesOf } from "../../../scripts/workload/lines.ts";
import { parseMooncake } from "../../../scripts/workload/traces/mooncake.ts";
import { toolLoopTrace } from "../../../scripts/workload/traces/sessions.ts";
import { prefixOracle, scaled, type Trace } from "../../../scripts/workload/traces/trace.ts";

const SPEC: SystemSpec = {
  model: "meta-llama/Llama-3.2-1B-Instruct",
  device: "trainium",
  instance: "trn2.48xlarge",
  tensorParallel: 8,
  dataParallel: 1,
  expertParallel: false,
  kernels: "",
  own: {},
  maxNumSeqs: 64,
  maxModelLen: 131_072,
  prefixCaching: true,
  seed: 0,
};

/**
 * Least and most hits of an endless cache of whole blocks: a prompt's last token is
 * always computed, so a block that ends with it is stored but not found.
 */
function expectedHits(trace: Trace): readonly [number, number] {
  const size = trace.blockTokens ?? 1;
  const hits = (unused: number): number =>
    prefixOracle({
      ...trace,
      requests: trace.requests.map((request) => ({
        ...request,
        blocks: (request.blocks ?? []).slice(0, Math.floor((request.inputTokens - unused) / size)),
      })),
    }).hits;
  return [hits(1), hits(0)];
}

async function replay(trace: Trace, blockSize: number, prefixCaching = true) {
  const spec = { ...SPEC, blockSize, prefixCaching };
  const system = await buildSystem(spec, { endlessBlocks: 1_000_000 });
  const row = await replayVirtual("run", system, trace, 7);
  await system.close();
  return row;
}

describe("replay", () => {
  const loops = toolLoopTrace({
    sessions: 12,
    sessionRate: 0.05,
    meanTurns: 6,
    systemTokens: 320,
    taskTokens: 100,
    toolTokens: 80,
    outputTokens: 30,
    toolSeconds: 5,
    seed: 2,
  });

  it("hits what an endless cache of whole blocks would", async () => {
    const row = await replay(loops, 16);
    expect(row.metrics.failed).toBe(0);
    const [least, most] = expectedHits(loops);
    expect(row.hitTokens / 16).toBeGreaterThanOrEqual(least);
    expect(row.hitTokens / 16).toBeLessThanOrEqual(most);
    expect(most - least).toBeLessThan(0.01 * most);
    expect(row.hitRate).toBeGreaterThan(0.5);
  });

  it("answers sooner with prefix caching than without", async () => {
    const [on, off] = [await replay(loops, 16), await replay(loops, 16, false)];
    expect(off.hitTokens).toBe(0);
    expect(on.metrics.latency.ttft.mean).toBeLessThan(off.metrics.latency.ttft.mean);
    const table = replayTable([on, off]).split("\n");
    expect(table.length).toBe(3);
    expect(table[0]).toContain("hit tokens");
  });

  const file = join(
    process.env["TRAINYARD_DATA"] ?? "../shared/data",
    "traces-mooncake/conversation_trace.jsonl.gz",
  );
  it.skipIf(!existsSync(file))("hits Mooncake's prefixes (needs traces-mooncake)", async () => {
    const whole = await parseMooncake(linesOf(file));
    const { hits, blocks } = prefixOracle(whole);
    expect([whole.requests.length, blocks]).toEqual([12_031, 288_500]);
    expect(Math.abs(hits / blocks - 0.366)).toBeLessThan(0.001);
    const head = scaled(whole, { limit: 600 });
    const row = await replay(head, 512);
    const [least, most] = expectedHits(head);
    expect(row.hitTokens / 512).toBeGreaterThanOrEqual(least);
    expect(row.hitTokens / 512).toBeLessThanOrEqual(most);
  });
});
