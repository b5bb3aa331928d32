/** Columns of results: one meaning for each key, whoever shows it. */
import { describe, expect, it } from "vitest";
import { resultTable } from "../../../scripts/commands/bench/table.ts";
import { REPLAY_COLUMNS } from "../../../scripts/commands/replay/columns.ts";
import { replayTable } from "../../../scripts/commands/replay/main.ts";
import { replayRow } from "../../../scripts/commands/replay/replay.ts";
import { cellText, rowsCsv, rowsJson } from "../../../scripts/load/column.ts";
import { latencyMeasures, MEASURES, meaningOf } from "../../../scripts/load/measures.ts";
import { LATENCIES, measure } from "../../../scripts/load/metrics.ts";
import type { RequestRecord } from "../../../scripts/load/record.ts";
import { SPECULATION } from "../../../scripts/load/result.ts";
import { COLUMNS } from "../../../scripts/report/columns.ts";

const record = (change: Partial<RequestRecord> = {}): RequestRecord => ({
  ok: true,
  sent: 0,
  ttft: 0.1,
  latency: 0.5,
  itl: [0.1, 0.1, 0.2],
  promptTokens: 32,
  outputTokens: 5,
  wantedTokens: 5,
  cachedTokens: 16,
  ...change,
});

const TABLES = {
  sweep: COLUMNS,
  replay: REPLAY_COLUMNS,
  "bench serve": [
    ...MEASURES,
    ...LATENCIES.flatMap((name) => latencyMeasures(name, [90, 95, 99])),
    ...SPECULATION,
  ],
};

describe("columns", () => {
  it.each(Object.entries(TABLES))("of %s: a key each, rates higher and times lower", (_, table) => {
    expect(new Set(table.map(({ key }) => key)).size).toBe(table.length);
    for (const { key, unit, better } of table) {
      if (/throughput|goodput/.test(key)) expect(better, key).toBe("higher");
      if (/^(?!std).*_(ttft|tpot|itl|e2el)_ms$/.test(key)) expect(better, key).toBe("lower");
      if (key.endsWith("_ms")) expect(unit, key).toBe("ms");
    }
  });

  it("mean the same in every table", () => {
    const meanings = new Map<string, Set<string>>();
    for (const table of Object.values(TABLES)) {
      for (const { key, unit, better, formula } of table) {
        const seen = meanings.get(key) ?? new Set();
        meanings.set(key, seen.add(JSON.stringify([unit, better, formula])));
      }
    }
    expect([...meanings].filter(([, seen]) => seen.size > 1)).toEqual([]);
    expect(meaningOf("output_throughput")).toMatchObject({ unit: "tokens/s", better: "higher" });
    expect(() => meaningOf("pace")).toThrow("pace");
  });

  it("write – in tables, null in JSON and nothing in CSV for what is not known", () => {
    const columns = [
      { key: "name", title: "run", of: (row: { name: string }) => row.name },
      { key: "rate", title: "rate", unit: "1/s", digits: 1, of: () => Number.NaN },
      { key: "spare", of: () => undefined },
    ];
    const row = { name: 'a, "b"' };
    expect(columns.map((column) => cellText(column, row))).toEqual(['a, "b"', "–", "–"]);
    expect(rowsJson(columns, [row])).toEqual({
      columns: [
        { key: "name", title: "run" },
        { key: "rate", title: "rate", unit: "1/s" },
        { key: "spare" },
      ],
      rows: [{ name: 'a, "b"', rate: null, spare: null }],
    });
    expect(rowsCsv(columns, [row])).toBe('name,rate,spare\n"a, ""b""",,\n');
  });
});

describe("the summary of bench serve", () => {
  it("is vLLM's, line for line", () => {
    const metrics = measure([record(), record({ sent: 1.2, ttft: 0.3 })], 3, {
      percentiles: [99],
    });
    const text = resultTable({
      metrics,
      latencies: ["ttft", "tpot"],
      requestRate: 4.5,
      maxConcurrency: 3,
      speculation: { drafts: 4, draftTokens: 8, acceptedTokens: 6, perPosition: [4, 2] },
    });
    expect(text.split("\n")).toEqual([
      "============ Serving Benchmark Result ============",
      "Successful requests:                     2",
      "Failed requests:                         0",
      "Maximum request concurrency:             3",
      "Request rate configured (RPS):           4.50",
      "Benchmark duration (s):                  3.00",
      "Total input tokens:                      64",
      "Total generated tokens:                  10",
      "Request throughput (req/s):              0.67",
      "Output token throughput (tok/s):         3.33",
      "Peak output token throughput (tok/s):    5.00",
      "Peak concurrent requests:                1.00",
      "Total token throughput (tok/s):          24.67",
      "---------------Time to First Token----------------",
      "Mean TTFT (ms):                          200.00",
      "Median TTFT (ms):                        200.00",
      "P99 TTFT (ms):                           298.00",
      "-----Time per Output Token (excl. 1st token)------",
      "Mean TPOT (ms):                          75.00",
      "Median TPOT (ms):                        75.00",
      "P99 TPOT (ms):                           99.50",
      "---------------Speculative Decoding---------------",
      "Acceptance rate (%):                     75.00",
      "Acceptance length:                       2.50",
      "Drafts:                                  4",
      "==================================================",
    ]);
  });

  it("says goodput and lateness where there are any", () => {
    const text = resultTable({
      metrics: measure([record()], 2, { percentiles: [], goodput: { ttft: 200 } }),
      latencies: [],
      requestRate: Number.POSITIVE_INFINITY,
      lateness: {
        meanDispatch: 0.001,
        p99Dispatch: 0.002,
        maxDispatch: 0.003,
        p99EventLoop: 0.004,
        maxEventLoop: 0.005,
        held: 0,
      },
    });
    expect(text).toContain("Request goodput (req/s):                 0.50\n");
    expect(text).toContain("P99 event-loop delay (ms):               4.000\n");
    expect(text).not.toMatch(/configured|concurrency:|Mean TTFT/);
  });
});

describe("the table of replays", () => {
  it("counts hits in tokens and in the trace's blocks", () => {
    const trace = { name: "t", requests: [], notes: [], blockTokens: 16 };
    const run = { records: [record(), record({ cachedTokens: 0 })], duration: 2 };
    const row = replayRow("on", trace, run);
    expect([row.hitTokens, row.hitBlocks, row.hitRate]).toEqual([16, 1, 0.25]);
    const { blockTokens: _, ...plain } = trace;
    expect(replayRow("off", plain, run).hitBlocks).toBeUndefined();
    const lines = replayTable([row, replayRow("off", plain, run)]).split("\n");
    expect(lines[0]).toMatch(/^ *run +ok +failed +TTFT p50 ms .* hit tokens % +hit blocks/);
    expect(lines[1]).toMatch(/^ *on +2 +0 +100 .* 25\.00 +1 +0 +– +–$/);
    expect(lines[2]).toMatch(/25\.00 +– +0/);
  });
});
