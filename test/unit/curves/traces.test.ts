import { describe, expect, it } from "vitest";
import { textLines } from "../../../scripts/workload/lines.ts";
import { idRange } from "../../../scripts/workload/request.ts";
import { azureSeconds, parseAzure } from "../../../scripts/workload/traces/azure.ts";
import { parseBailian } from "../../../scripts/workload/traces/bailian.ts";
import { parseBurstGpt } from "../../../scripts/workload/traces/burstgpt.ts";
import { guessFormat, parseTrace } from "../../../scripts/workload/traces/formats.ts";
import { parseMooncake } from "../../../scripts/workload/traces/mooncake.ts";
import { generateServeGen, parseServeGen } from "../../../scripts/workload/traces/servegen.ts";
import { toolLoopTrace } from "../../../scripts/workload/traces/sessions.ts";
import { TIMED_TRACE } from "../../../scripts/workload/traces/timed-trace.ts";
import {
  longestOf,
  prefixOracle,
  scaled,
  TracePrompts,
} from "../../../scripts/workload/traces/trace.ts";

const words = { ids: idRange(0, 5000) };

const MOONCAKE = [
  '{"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 2]}',
  '{"timestamp": 1500, "input_length": 1300, "output_length": 6, "hash_ids": [0, 1, 3]}',
  '{"timestamp": 2500, "input_length": 600, "output_length": 7, "hash_ids": [4, 1]}',
].join("\n");

describe("formats", () => {
  it("Azure: times to seconds, counts as they are", async () => {
    const trace = await parseAzure(
      textLines(
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0300000,110,27\r\n",
      ),
    );
    expect(trace.requests[0]).toEqual({ arrival: 0, inputTokens: 4808, outputTokens: 10 });
    expect(trace.requests[1]?.arrival).toBeCloseTo(0.05004, 5);
    expect(() => azureSeconds("yesterday", 4)).toThrow('Line 4: TIMESTAMP is "yesterday"');
    await expect(parseAzure(textLines("a,b\n1,2"))).rejects.toThrow('no column "TIMESTAMP"');
  });

  it("BurstGPT: failures left out and said, one model kept", async () => {
    const text = [
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
      "5,ChatGPT,472,18,490,Conversation log",
      "45,GPT-4,1087,230,1317,Conversation log",
      "118,GPT-4,417,0,417,Conversation log",
    ].join("\n");
    const all = await parseBurstGpt(textLines(text));
    expect(all.requests.map((request) => request.arrival)).toEqual([0, 40]);
    expect(all.notes).toEqual(["1 requests without prompt or response tokens."]);
    expect((await parseBurstGpt(textLines(text), { model: "GPT-4" })).requests).toEqual([
      { arrival: 0, inputTokens: 1087, outputTokens: 230 },
    ]);
  });

  it("Bailian: seconds, blocks of 16, follow-ups counted", async () => {
    const text = [
      '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 30, "output_length": 4, "type": "text", "turn": 1, "hash_ids": [9, 8]}',
      '{"chat_id": 2, "parent_chat_id": 1, "timestamp": 9, "input_length": 40, "output_length": 4, "type": "text", "turn": 2, "hash_ids": [9, 8, 7]}',
    ].join("\n");
    const trace = await parseBailian(textLines(text));
    expect(trace.blockTokens).toBe(16);
    expect(trace.requests.map((request) => request.arrival)).toEqual([0.5, 9]);
    expect(trace.turns).toEqual({ chats: 1, followUps: 1 });
  });

  it("timed_trace: seconds and 16 tokens a hash, as vLLM's, unless told", async () => {
    const row = { at: 1.5, input_length: 40, output_length: 4, hash_ids: [1, 2, 3] };
    const lines = [JSON.stringify({ ...row, timestamp: 1.5 })];
    const plain = await parseTrace("timed_trace", lines, { seed: 0 });
    expect(plain.blockTokens).toBe(16);
    expect(plain.requests[0]?.arrival).toBe(1.5);
    const timed = {
      blockTokens: 512,
      seconds: 0.001,
      labels: { ...TIMED_TRACE.labels, timestamp: "at" },
    };
    const told = await parseTrace("timed_trace", lines, { seed: 0, timed });
    expect([told.blockTokens, told.requests[0]?.arrival]).toEqual([512, 0.0015]);
    const labels = { ...timed, labels: { ...timed.labels, hashIds: "none", inputLength: "x" } };
    await expect(parseTrace("timed_trace", lines, { seed: 0, timed: labels })).rejects.toThrow(
      'Line 1 has no "x"; it has at, input_length',
    );
  });

  it("name the line that is wrong, in every format", async () => {
    const wrong: [string, string[]][] = [
      ["azure", ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:17:03,x,1"]],
      ["burstgpt", ["Timestamp,Model,Request tokens,Response tokens", "1,GPT-4,-1,2"]],
      ["mooncake", ['{"timestamp":0,"input_length":1,"output_length":1}', "{"]],
      ["bailian", ['{"chat_id":1,"timestamp":0,"input_length":1,"output_length":1}', "[]"]],
      ["timed_trace", ['{"timestamp":0,"input_length":1,"output_length":1}', '{"timestamp":"a"}']],
      ["servegen", ['{"client":1,"trace":[],"dataset":null}', "x"]],
    ];
    for (const [format, lines] of wrong) {
      await expect(parseTrace(format, lines, { seed: 0 }), format).rejects.toThrow("Line 2");
    }
  });

  it("take as many rows as there are: nothing is spread over the stack", async () => {
    const rows = 150_000; // more than a call takes arguments
    const lines = (function* () {
      yield "TIMESTAMP,ContextTokens,GeneratedTokens";
      for (let row = 0; row < rows; row++) yield `2023-11-16 18:17:03,${row},1`;
    })();
    const trace = await parseTrace("azure", lines, { seed: 0 });
    expect(trace.requests.length).toBe(rows);
    expect(longestOf(trace)).toBe(rows);
    expect(prefixOracle(trace).blocks).toBe(0);
    expect(scaled(trace, { length: 0.5 }).requests.length).toBe(rows);
  });

  it("are known by name, and unknown ones answered with the known", async () => {
    expect(guessFormat("/x/AzureLLMInferenceTrace_conv.csv.gz")).toBe("azure");
    expect(guessFormat("conversation_trace.jsonl")).toBe("mooncake");
    await expect(parseTrace("nope", [], { seed: 0 })).rejects.toThrow("known: azure, mooncake");
  });
});

describe("prefix blocks", async () => {
  const trace = await parseMooncake(textLines(MOONCAKE));

  it("become tokens: equal leading blocks, equal leading tokens", () => {
    const prompts = new TracePrompts(trace, words, 1);
    const [first, second, third] = trace.requests.map((request, index) =>
      prompts.ids(request, index),
    );
    expect(first?.length).toBe(1100);
    expect(first?.slice(0, 1024)).toEqual(second?.slice(0, 1024));
    expect(first?.slice(1024, 1034)).not.toEqual(second?.slice(1024, 1034));
    expect(third?.slice(0, 10)).not.toEqual(first?.slice(0, 10));
  });

  it("hit only from the start", () => {
    expect(prefixOracle(trace)).toEqual({ blocks: 8, hits: 2, distinct: 5 });
  });

  it("shrink with the prompts and keep their sharing", () => {
    const small = scaled(trace, { length: 1 / 64, rate: 2 });
    expect(small.blockTokens).toBe(8);
    expect(small.requests.map((request) => [request.arrival, request.inputTokens])).toEqual([
      [0, 17],
      [0.75, 20],
      [1.25, 9],
    ]);
    const prompts = new TracePrompts(small, words, 1);
    const [first, second] = small.requests.map((request, index) => prompts.ids(request, index));
    expect(first?.slice(0, 16)).toEqual(second?.slice(0, 16));
  });
});

describe("generation", () => {
  const line = (client: number, rate: number): string =>
    JSON.stringify({
      client,
      trace: [
        [0, rate, 1, "Gamma", [2, 1 / (2 * rate)]],
        [600, 0, 0],
      ],
      dataset: {
        0: { input_tokens: { 100: 0.75, 200: 0.25 }, output_tokens: { 10: 1 } },
      },
    });

  it("ServeGen: rates, gaps and lengths come out as they went in", async () => {
    const { clients, skipped } = await parseServeGen([
      line(0, 4),
      line(1, 1),
      '{"client":2,"trace":[],"dataset":null}',
    ]);
    expect(skipped).toBe(1);
    const { requests } = generateServeGen(clients, { from: 0, to: 600, seed: 3 });
    expect(Math.abs(requests.length / 600 / 5 - 1)).toBeLessThan(0.06);
    const short = requests.filter((request) => request.inputTokens === 100).length;
    expect(Math.abs(short / requests.length - 0.75)).toBeLessThan(0.03);
    const slowed = generateServeGen(clients, { from: 0, to: 600, rate: 1, seed: 3 });
    expect(Math.abs(slowed.requests.length / 600 - 1)).toBeLessThan(0.15);
    expect(() => generateServeGen(clients, { from: 700, to: 800, seed: 3 })).toThrow("active");
  });

  it("tool loops: each turn begins with all of the turn before", () => {
    const trace = toolLoopTrace({
      sessions: 1,
      sessionRate: 1,
      meanTurns: 8,
      systemTokens: 64,
      taskTokens: 40,
      toolTokens: 30,
      outputTokens: 20,
      toolSeconds: 1,
      seed: 4,
    });
    const prompts = new TracePrompts(trace, words, 1);
    const turns = trace.requests.map((request, index) => prompts.ids(request, index));
    expect(turns.length).toBeGreaterThan(2);
    for (const [index, turn] of turns.slice(1).entries()) {
      const before = turns[index] ?? new Int32Array(1);
      expect(turn.slice(0, before.length)).toEqual(before);
    }
  });
});
