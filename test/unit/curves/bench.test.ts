import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseBench } from "../../../scripts/commands/bench/flags.ts";
import { run as runReplay } from "../../../scripts/commands/replay/main.ts";
import { Gaps } from "../../../scripts/load/gaps.ts";
import { runLoad } from "../../../scripts/load/load.ts";
import { isGood, measure } from "../../../scripts/load/metrics.ts";
import { overload } from "../../../scripts/load/overload.ts";
import type { RequestRecord } from "../../../scripts/load/record.ts";
import { stamp, vllmResult } from "../../../scripts/load/result.ts";
import { parseSpeculation, speculationBetween } from "../../../scripts/load/server.ts";
import { SseParser } from "../../../scripts/load/sse.ts";
import { ascending, percentileOf, summarise } from "../../../scripts/load/statistics.ts";
import { Random } from "../../../scripts/workload/random.ts";
import type { WorkRequest } from "../../../scripts/workload/request.ts";
import { Progress } from "../../../server/progress.ts";

function record(change: Partial<RequestRecord>): RequestRecord {
  return {
    ok: true,
    sent: 0,
    ttft: 0.1,
    latency: 0.5,
    itl: [0.1, 0.1, 0.2],
    promptTokens: 10,
    outputTokens: 5,
    wantedTokens: 5,
    ...change,
  };
}

describe("statistics", () => {
  it("are NumPy's", () => {
    // numpy: mean, median, std, percentile([3, 1, 4, 1, 5], [90, 99])
    const summary = summarise([3, 1, 4, 1, 5], [90, 99]);
    expect(summary.mean).toBeCloseTo(2.8, 12);
    expect(summary.median).toBe(3);
    expect(summary.std).toBeCloseTo(1.6, 12);
    expect(summary.percentiles.get(90)).toBeCloseTo(4.6, 12);
    expect(summary.percentiles.get(99)).toBeCloseTo(4.96, 12);
    expect(summarise([], [99]).mean).toBe(0);
  });

  it("are to the bit those of the sorted list, of few values many times and of many once", () => {
    const random = new Random(3);
    const few = Array.from({ length: 20_000 }, (_, index) => 0.1 * ((index >> 4) % 37));
    const many = Array.from({ length: 70_000 }, () => random.uniform());
    for (const values of [few, many, [7], [0, 0, 1]]) {
      const sorted = ascending(values);
      const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
      const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      const places = [0, 3.7, 50, 99, 99.9, 100];
      expect(summarise(values, places)).toEqual({
        mean,
        median: percentileOf(sorted, 50),
        std: Math.sqrt(squares / sorted.length),
        percentiles: new Map(places.map((place) => [place, percentileOf(sorted, place)])),
      });
    }
  });
});

describe("metrics", () => {
  it("are the same of gaps taken together where they are equal, of few and of very many", () => {
    const random = new Random(5);
    for (const different of [7, 100_000]) {
      const lists = Array.from({ length: 300 }, () =>
        Array.from({ length: 60 }, () => random.integer(1, different) / different).flatMap((gap) =>
          new Array<number>(random.integer(1, 8)).fill(gap),
        ),
      );
      const seen = (of: (list: readonly number[]) => RequestRecord["itl"]) =>
        measure(
          lists.map((list, index) =>
            record({ sent: index / 7, itl: of(list), outputTokens: list.length + 1, latency: 400 }),
          ),
          500,
          { percentiles: [50, 99.9] },
        );
      const together = (list: readonly number[]): Gaps => {
        const gaps = new Gaps();
        for (const gap of list) gaps.add(gap);
        const twice = new Gaps();
        twice.addAll(gaps);
        expect(twice.length).toBe(list.length);
        return twice;
      };
      expect(seen(together)).toEqual(seen((list) => list));
      expect(lists.map((list) => Array.from(together(list)))).toEqual(lists);
    }
  });

  it("follow vLLM's definitions", () => {
    const metrics = measure(
      [
        record({}),
        record({ sent: 0.2, outputTokens: 1, latency: 0.1, itl: [] }),
        record({ ok: false, error: "x" }),
      ],
      2,
      { percentiles: [99], goodput: { ttft: 200, e2el: 300 } },
    );
    expect(metrics.completed).toBe(2);
    expect(metrics.failed).toBe(1);
    expect(metrics.latency.tpot.mean).toBeCloseTo(100, 9); // the single token has none
    expect(metrics.latency.itl.mean).toBeCloseTo(400 / 3, 9);
    expect(metrics.outputThroughput).toBe(3);
    expect(metrics.totalThroughput).toBe(13);
    expect(metrics.goodput).toBe(0.5);
    expect(metrics.meanUserRate).toBeCloseTo(10, 9);
    expect(metrics.peakConcurrentRequests).toBe(2);
  });

  it("count a request as good only when every limit holds", () => {
    expect(isGood(record({}), { ttft: 100, tpot: 100, e2el: 500 })).toBe(true);
    expect(isGood(record({}), { tpot: 99 })).toBe(false);
    expect(isGood(record({ ok: false }), {})).toBe(false);
  });

  it("spread tokens over the chunks they came in", () => {
    const metrics = measure([record({ outputTokens: 8 })], 1, { percentiles: [] });
    expect(metrics.peakOutputTokensPerSecond).toBeCloseTo(8, 9);
  });
});

describe("result file", () => {
  const keys =
    "date endpoint_type backend label model_id tokenizer_id num_prompts request_rate burstiness max_concurrency duration completed failed total_input_tokens total_output_tokens request_throughput request_goodput output_throughput total_token_throughput max_output_tokens_per_s max_concurrent_requests rtfx".split(
      " ",
    );
  const latencies = ["ttft", "tpot", "itl", "e2el"] as const;
  const run = {
    date: new Date("2026-11-23T22:15:00Z"),
    backend: "openai",
    modelId: "m",
    tokenizerId: "t",
    numPrompts: 1,
    requestRate: Number.POSITIVE_INFINITY,
    burstiness: 1,
    latencies,
    speculation: { drafts: 4, draftTokens: 8, acceptedTokens: 6, perPosition: [4, 2] },
  };

  it("has every key of vllm bench serve", () => {
    const metrics = measure([record({})], 1, { percentiles: [99, 99.9] });
    const result = vllmResult(run, metrics, [record({ text: "hi" })]);
    const wanted = [
      ...keys,
      ...latencies.flatMap((name) =>
        ["mean", "median", "std", "p99", "p99.9"].map((kind) => `${kind}_${name}_ms`),
      ),
      ..."acceptance_rate acceptance_length num_drafts draft_tokens accepted_tokens per_position_acceptance_rates"
        .split(" ")
        .map((name) => `spec_decode_${name}`),
      ..."input_lens output_lens ttfts itls start_times generated_texts errors".split(" "),
    ];
    expect(wanted.filter((key) => !(key in result))).toEqual([]);
    expect(result["request_rate"]).toBe("inf");
    expect(result["max_concurrency"]).toBeNull();
    expect(result["spec_decode_acceptance_length"]).toBe(2.5);
    expect(result["spec_decode_acceptance_rate"]).toBe(75);
    expect(result["spec_decode_per_position_acceptance_rates"]).toEqual([1, 0.5]);
  });

  it("leaves details out unless they are asked for", () => {
    const result = vllmResult(run, measure([record({})], 1, { percentiles: [] }));
    expect("ttfts" in result).toBe(false);
    expect(stamp(run.date)).toBe("20261123-221500");
  });
});

describe("SSE", () => {
  it("gives the same events however the bytes are cut", () => {
    const stream =
      'data: {"a":"é"}\n\n: ping\r\ndata: one\r\ndata:two\r\n\r\nevent: x\rdata: 3\r\rdata: lost';
    const bytes = new TextEncoder().encode(stream);
    for (let size = 1; size <= bytes.length; size++) {
      const events: string[] = [];
      const parser = new SseParser((data) => events.push(data));
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
      parser.end();
      expect(events).toEqual(['{"a":"é"}', "one\ntwo", "3"]);
    }
  });
});

describe("speculation counters", () => {
  it("are read over engines and positions, and differenced", () => {
    const text = [
      'vllm:spec_decode_num_drafts_total{engine="0"} 10.0',
      'vllm:spec_decode_num_drafts_total{engine="1"} 5.0',
      'vllm:spec_decode_num_draft_tokens_total{engine="0"} 30',
      'vllm:spec_decode_num_accepted_tokens_total{engine="0"} 12',
      'vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="0"} 8',
      'vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="1"} 4',
      'vllm:spec_decode_num_drafts_created{engine="0"} 1e9',
    ].join("\n");
    const counts = parseSpeculation(text);
    expect(counts).toEqual({
      drafts: 15,
      draftTokens: 30,
      acceptedTokens: 12,
      perPosition: [8, 4],
    });
    expect(speculationBetween(undefined, counts)).toEqual(counts);
    expect(speculationBetween(counts, counts)).toBeUndefined();
    expect(parseSpeculation("vllm:num_requests_running 1")).toBeUndefined();
  });
});

describe("load", () => {
  const request: WorkRequest = {
    prompt: { type: "text", text: "x" },
    promptTokens: 1,
    outputTokens: 1,
  };

  it("keeps to its cap and gives records in order", async () => {
    let under = 0;
    let most = 0;
    const run = await runLoad(
      Array.from({ length: 12 }, () => request),
      async (_request, index) => {
        most = Math.max(most, ++under);
        await new Promise((resolve) => setImmediate(resolve));
        under--;
        return record({ promptTokens: index });
      },
      { arrivals: new Array<number>(12).fill(0), maxConcurrency: 3 },
    );
    expect(most).toBe(3);
    expect(run.records.map((entry) => entry.promptTokens)).toEqual([...Array(12).keys()]);
    expect(run.lateness.held).toBeGreaterThan(0);
  });

  it("sends no request before its time", async () => {
    const arrivals = [0, 0.004, 0.009];
    const sent: number[] = [];
    const run = await runLoad(
      arrivals.map(() => request),
      async (_request, _index, now) => {
        sent.push(now());
        return record({});
      },
      { arrivals },
    );
    for (const [index, at] of sent.entries())
      expect(at).toBeGreaterThanOrEqual(arrivals[index] ?? 0);
    expect(run.lateness.maxDispatch).toBeGreaterThanOrEqual(0);
    expect(run.records.map((entry) => entry.due)).toEqual(arrivals);
  });
});

describe("an interrupted run", () => {
  const request: WorkRequest = {
    prompt: { type: "ids", ids: Int32Array.of(1) },
    promptTokens: 1,
    outputTokens: 1,
  };

  it("keeps what had ended, forgets what was under way, and sends nothing more", async () => {
    for (const maxConcurrency of [2, undefined]) {
      const controller = new AbortController();
      let sent = 0;
      const send = async (): Promise<RequestRecord> => {
        const place = sent++;
        // The first four end at once, the fifth ends the run, the others would take for ever.
        if (place === 4) controller.abort();
        if (place >= 4) await new Promise(() => {});
        return record({});
      };
      const requests = new Array<WorkRequest>(100).fill(request);
      const arrivals = requests.map((_, index) => index / 1000);
      const run = await runLoad(requests, send, {
        arrivals,
        signal: controller.signal,
        ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
      });
      expect(run.interrupted).toBe(true);
      expect(run.records.length).toBe(4);
      expect(run.requests.length).toBe(4);
      expect(sent).toBeLessThan(10);
    }
  });
});

describe("progress", () => {
  const told = (isTTY: boolean, steps: readonly number[]) => {
    let at = 0;
    const lines: string[] = [];
    const output = { isTTY, write: (text: string) => lines.push(text) };
    const bar = new Progress("Work", steps.length, { output, now: () => at, unit: "things" });
    for (const milliseconds of steps) {
      at += milliseconds;
      bar.step();
    }
    bar.end();
    return lines;
  };

  it("is told of everything over two seconds, on a terminal and off it", () => {
    expect(told(false, [500, 500])).toEqual([]);
    expect(told(false, [1500, 1500, 1000]).length).toBe(1);
    const long = told(false, new Array<number>(60).fill(1000));
    expect(long.length).toBe(6);
    expect(long[0]).toContain("Work 2/60 [0:02<0:58, 1.00 things/s]");
    expect(told(true, [500, 500]).at(-1)).toBe("\n");
    expect(told(true, [500, 500]).join("")).toContain("2/2");
    // The last step is drawn however soon it follows the one before.
    expect(told(true, [500, 1]).join("")).toContain("2/2");
    expect(told(true, [500, 1, 500]).join("")).not.toContain("2/3");
  });
});

describe("flags of bench serve", () => {
  const parse = (...argv: string[]) => parseBench(argv, () => {});

  it.each([
    ["--max-concurrency", "0"],
    ["--num-prompts", "0"],
    ["--burstiness", "0"],
    ["--burstiness", "-1"],
    ["--request-rate", "abc"],
    ["--num-warmups", "x"],
    ["--timed-trace-sec-multiplier", "0"],
    ["--metric-percentiles", "99,101"],
    ["--percentile-metrics", "ttft,none"],
    ["--random-range-ratio", "1.5"],
    ["--port", "70000"],
    ["--backend", "grpc"],
  ])("%s %s is refused by its name", (flag, value) => {
    expect(() => parse(flag, value)).toThrow(flag);
  });

  it("take vLLM's spellings, and repeat no header's value", () => {
    expect(parse("--burstiness", "inf", "--request-rate", "2").burstiness).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(parse("--num_prompts", "5", "--header", "a=b,c", "d=e=f").headers).toMatchObject({
      a: "b,c",
      d: "e=f",
    });
    try {
      parse("--header", "Bearer sk-1");
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toContain("--header");
      expect(String(error)).not.toContain("sk-1");
    }
  });
});

describe("flags of bench replay", () => {
  it.each([
    ["--rate-scale", "abc"],
    ["--rate-scale", "-1"],
    ["--length-scale", "0"],
    ["--limit", "1.5"],
    ["--session-rate", ""],
    ["--prefix-caching", "maybe"],
    ["--format", "nope"],
    ["--seed", "x"],
    ["--from", "-3"],
  ])("%s %s never reaches the clock", async (flag, value) => {
    const replay = runReplay(["--sessions", "1", flag, value === "" ? " " : value]);
    await expect(replay).rejects.toThrow(flag);
  });

  it("a trace without requests is named", async () => {
    const trace = join(mkdtempSync(join(tmpdir(), "trace-")), "none.jsonl");
    writeFileSync(trace, "");
    const replay = runReplay(["--trace", trace, "--format", "mooncake"]);
    await expect(replay).rejects.toThrow(`${trace} gives no request to replay.`);
  });
});

describe("overload", () => {
  const arriving = (rate: number, capacity: number) => {
    let free = 0;
    return Array.from({ length: 400 }, (_, index) => {
      const sent = index / rate;
      free = Math.max(free, sent) + 1 / capacity;
      return record({ sent, ttft: free - sent, latency: free - sent + 0.1 });
    });
  };

  it.each([
    [8, 4],
    [4, 3.5],
    [100, 60],
  ])("is said at %d a second where %d can be served", (rate, capacity) => {
    const said = overload(arriving(rate, capacity)) ?? "";
    expect(said).toContain("More came than could be served");
    const [, came, answered] = /(\d+\.\d+) requests a second came, (\d+\.\d+)/.exec(said) ?? [];
    expect(Math.abs(Number(came) / rate - 1)).toBeLessThan(0.01);
    expect(Math.abs(Number(answered) / capacity - 1)).toBeLessThan(0.02);
  });

  it("is not said of a server that keeps up, of a burst, or of a few", () => {
    expect(overload(arriving(4, 4.2))).toBeUndefined();
    expect(overload(arriving(8, 4).slice(0, 10))).toBeUndefined();
    const burst = arriving(4, 40).map((its, index) =>
      index > 190 && index < 210 ? { ...its, ttft: 30 } : its,
    );
    expect(overload(burst)).toBeUndefined();
    expect(overload([...arriving(8, 4)].reverse())).toBeDefined();
  });
});
