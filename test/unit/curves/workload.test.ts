import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { arrivalTimes, rampRate } from "../../../scripts/workload/arrivals.ts";
import { elementsOf, linesOf } from "../../../scripts/workload/lines.ts";
import { prefixRepetitionRequests } from "../../../scripts/workload/prefix-repetition.ts";
import { Random } from "../../../scripts/workload/random.ts";
import { drawIds, lengthRange, randomRequests } from "../../../scripts/workload/random-dataset.ts";
import { idRange, plainIds, type Words } from "../../../scripts/workload/request.ts";
import {
  customRequests,
  oversample,
  shareGptRequests,
  sonnetRequests,
} from "../../../scripts/workload/text-datasets.ts";

const words: Words = { ids: idRange(10, 1000) };
/** One token a word. */
const spoken: Words = {
  ...words,
  encode: async (text) =>
    Int32Array.from(
      text
        .split(/\s+/)
        .filter((word) => word !== "")
        .keys(),
    ),
};

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const deviationOf = (values: readonly number[]): number => {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
};
const sample = (draw: (random: Random) => number, seed = 1): number[] => {
  const random = new Random(seed);
  return Array.from({ length: 20_000 }, () => draw(random));
};

describe("Random", () => {
  it("repeats by seed and differs between seeds", () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 5 }, () => random.bits());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it.each([
    ["uniform", (random: Random) => random.uniform(), 0.5, Math.sqrt(1 / 12)],
    ["exponential", (random: Random) => random.exponential(3), 3, 3],
    ["normal", (random: Random) => random.normal(), 0, 1],
    ["gamma of shape 4", (random: Random) => random.gamma(4, 0.5), 2, 1],
    ["gamma of shape 0.25", (random: Random) => random.gamma(0.25, 4), 1, 2],
    ["Weibull of shape 1", (random: Random) => random.weibull(1, 2), 2, 2],
  ])("has the mean and deviation of %s", (_name, draw, mean, deviation) => {
    const values = sample(draw);
    expect(Math.abs(meanOf(values) - mean)).toBeLessThan(0.05 * deviation);
    expect(Math.abs(deviationOf(values) / deviation - 1)).toBeLessThan(0.05);
  });

  it("reaches both ends of an integer range and nothing beyond", () => {
    const [one, many] = [new Random(7), new Random(7)];
    const filled = new Int32Array(50);
    many.fill(filled, 10, 999);
    expect([...filled]).toEqual([
      ...new Array<number>(10).fill(0),
      ...Array.from({ length: 40 }, () => one.integer(0, 999)),
    ]);
    expect(many.bits()).toBe(one.bits());
    const values = sample((random) => random.integer(3, 6));
    expect(new Set(values)).toEqual(new Set([3, 4, 5, 6]));
  });
});

describe("arrivals", () => {
  it("are all at once at an infinite rate", () => {
    const options = { rate: Number.POSITIVE_INFINITY, burstiness: 1 };
    expect(arrivalTimes(3, options, new Random(0))).toEqual([0, 0, 0]);
  });

  it.each([0.3, 1, 9])(
    "end at count / rate with burstiness %s, spread as a gamma",
    (burstiness) => {
      const times = arrivalTimes(4000, { rate: 8, burstiness }, new Random(3));
      const gaps = times.map((time, index) => time - (times[index - 1] ?? 0));
      expect(times[3999]).toBeCloseTo(500, 6);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
      expect(deviationOf(gaps) / meanOf(gaps)).toBeCloseTo(1 / Math.sqrt(burstiness), 1);
    },
  );

  it("ramp from the first rate to the last", () => {
    const linear = { strategy: "linear", startRps: 2, endRps: 10 } as const;
    expect([0, 2, 4].map((index) => rampRate(linear, index, 5))).toEqual([2, 6, 10]);
    const steep = { strategy: "exponential", startRps: 1, endRps: 16 } as const;
    expect([0, 1, 4].map((index) => rampRate(steep, index, 5))).toEqual([1, 2, 16]);
  });

  it("come at equal gaps with infinite burstiness, at any rate", () => {
    for (const rate of [0.5, 8, 1000]) {
      const times = arrivalTimes(5, { rate, burstiness: Number.POSITIVE_INFINITY }, new Random(3));
      for (const [index, time] of times.entries()) expect(time).toBeCloseTo((index + 1) / rate, 9);
    }
    const ramp = { strategy: "linear", startRps: 1, endRps: 2 } as const;
    const options = { rate: 1, burstiness: Number.POSITIVE_INFINITY, ramp };
    const times = arrivalTimes(3, options, new Random(3));
    expect(times.map((time) => Number(time.toFixed(4)))).toEqual([1, 1.6667, 2.1667]);
  });

  it("refuse a rate or burstiness of nothing", () => {
    expect(() => arrivalTimes(1, { rate: 0, burstiness: 1 }, new Random(0))).toThrow(
      "--request-rate",
    );
    expect(() => arrivalTimes(1, { rate: 1, burstiness: 0 }, new Random(0))).toThrow(
      "--burstiness",
    );
  });
});

describe("random prompts", () => {
  it("take the range ratio as vLLM or as InferenceX means it", () => {
    expect(lengthRange(1000, 0.2, "vllm")).toEqual([800, 1200]);
    expect(lengthRange(1000, 0, "vllm")).toEqual([1000, 1000]);
    expect(lengthRange(1000, 0.8, "inferencex")).toEqual([800, 1000]);
    expect(() => lengthRange(1000, 1, "vllm")).toThrow("[0, 1)");
  });

  it("share the prefix, differ after it, and stay in their alphabet", () => {
    const lengths = {
      inputLen: 40,
      outputLen: 10,
      inputRatio: 0.5,
      outputRatio: 0,
      meaning: "vllm",
      prefixLen: 8,
    } as const;
    const requests = randomRequests(200, lengths, words, new Random(5));
    const prompts = requests.map(({ prompt }) => (prompt.type === "ids" ? [...prompt.ids] : []));
    const own = prompts.map((ids) => ids.length - 8);
    expect([Math.min(...own), Math.max(...own)]).toEqual([20, 60]);
    expect(new Set(prompts.map((ids) => ids.slice(0, 8).join())).size).toBe(1);
    expect(new Set(prompts.map((ids) => ids.slice(8).join())).size).toBe(200);
    expect(prompts.flat().every((id) => id >= 10 && id < 1000)).toBe(true);
    expect(requests.every((request) => request.outputTokens === 10)).toBe(true);
  });

  it("are the same ids whenever they are read", () => {
    const lengths = {
      inputLen: 40,
      outputLen: 10,
      inputRatio: 0.5,
      outputRatio: 0.5,
      meaning: "inferencex",
      prefixLen: 3,
    } as const;
    const random = new Random(7);
    const prefix = drawIds(new Int32Array(3), words.ids, { random });
    const drawnInOrder = Array.from({ length: 20 }, () => {
      const ids = new Int32Array(3 + random.integer(20, 40));
      ids.set(prefix);
      drawIds(ids, words.ids, { random, start: 3 });
      return { ids: [...ids], outputTokens: random.integer(5, 10) };
    });
    const requests = randomRequests(20, lengths, words, new Random(7));
    const read = requests.reverse().map(({ prompt, promptTokens, outputTokens }) => {
      if (prompt.type !== "ids") throw new Error("Random prompts are ids.");
      const few = [2, 12, 99].map((count) => [...(prompt.beginning?.(count) ?? [])]);
      const ids = [...prompt.ids];
      expect(few).toEqual([ids.slice(0, 2), ids.slice(0, 12), ids]);
      expect(promptTokens).toBe(ids.length);
      return { ids, outputTokens };
    });
    expect(read.reverse()).toEqual(drawnInOrder);
  });

  it("leave out special ids", () => {
    const ids = plainIds(6, new Set([0, 3]));
    expect(Array.from({ length: ids.length }, (_, index) => ids.at(index))).toEqual([1, 2, 4, 5]);
  });

  it("repeat few prefixes evenly", () => {
    const options = { prefixLen: 6, suffixLen: 4, prefixes: 5, outputLen: 3 };
    const requests = prefixRepetitionRequests(23, options, words, new Random(2));
    const prefixes = requests.map(({ prompt }) =>
      prompt.type === "ids" ? prompt.ids.slice(0, 6).join() : "",
    );
    expect(requests.length).toBe(20);
    expect(
      [...new Set(prefixes)].map((one) => prefixes.filter((other) => other === one).length),
    ).toEqual([4, 4, 4, 4, 4]);
    expect(() => prefixRepetitionRequests(4, options, words, new Random(2))).toThrow("fewer");
  });
});

describe("text prompts", () => {
  it("of sonnets share their first lines and come near the wanted length", async () => {
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index} has some words in it`);
    const options = { inputLen: 200, outputLen: 5, prefixLen: 60 };
    const requests = await sonnetRequests(10, lines, options, spoken, new Random(1));
    const texts = requests.map(({ prompt }) => (prompt.type === "text" ? prompt.text : ""));
    const shared = texts.map((text) => text.split("\n").slice(0, 8).join());
    expect(new Set(shared).size).toBe(1);
    expect(new Set(texts).size).toBe(10);
    for (const request of requests) expect(Math.abs(request.promptTokens - 200)).toBeLessThan(10);
  });

  it("of ShareGPT keep two turns of sensible length", async () => {
    const talk = (...values: string[]): unknown => ({
      conversations: values.map((value) => ({ from: "x", value })),
    });
    const long = Array.from({ length: 2000 }, () => "w").join(" ");
    const talks = [
      talk("one two three four five", "a b c d"),
      talk("one two three four five", "short"),
      talk("alone five words in here"),
      talk(long, "a b c d"),
    ];
    const requests = await shareGptRequests(10, talks, spoken, new Random(1), {});
    expect(requests.map((request) => [request.promptTokens, request.outputTokens])).toEqual([
      [5, 4],
    ]);
    expect(oversample(requests, 3, new Random(1)).length).toBe(3);
    const other = [{ prompt: "a b c d" }, { messages: [] }, 7, talk("alone")];
    await expect(shareGptRequests(1, other, spoken, new Random(1), {})).rejects.toThrow(
      '{"conversations": [{"value": ask}, {"value": answer}]}',
    );
  });

  it("of a custom file give prompt and length, or say what is missing", async () => {
    const options = { outputLen: -1, shuffle: false };
    const file = '{"prompt": "a b", "output_tokens": 7}\n\n{"prompt": "c", "output_tokens": 8}\n';
    const requests = await customRequests(9, file.split("\n"), spoken, new Random(1), options);
    expect(requests.map((request) => request.outputTokens)).toEqual([7, 8]);
    await expect(
      customRequests(9, ['{"text": 1}'], spoken, new Random(1), options),
    ).rejects.toThrow('"prompt"');
    await expect(
      customRequests(9, file.split("\n"), words, new Random(1), options),
    ).rejects.toThrow("--tokenizer");
  });
});

describe("files", () => {
  it("are read in pieces: lines and array elements come out whole wherever a piece ends", async () => {
    const folder = await mkdtemp(join(tmpdir(), "trainyard-lines-"));
    try {
      // Longer than several pieces of a stream, with letters of two and four bytes.
      const entries = Array.from({ length: 4000 }, (_, index) => ({
        text: `é😀 "[${index}],{\\" ${"x".repeat(index % 100)}`,
        list: [index, [index]],
      }));
      const array = join(folder, "array.json");
      await writeFile(array, ` ${JSON.stringify(entries, null, 1)}\n`);
      const found: unknown[] = [];
      for await (const entry of elementsOf(array)) found.push(entry);
      expect(found).toEqual(entries);

      const lines = join(folder, "lines.jsonl.gz");
      const texts = entries.map((entry) => JSON.stringify(entry));
      await writeFile(lines, gzipSync(`${texts.join("\r\n")}\n`));
      const read: string[] = [];
      for await (const line of linesOf(lines)) read.push(line);
      expect(read).toEqual(texts);

      const wrong = ["", "[1, 2", '{"a": 1}\n{"a": 2}', "[1] [2]", "[1, x]"];
      for (const [index, text] of wrong.entries()) {
        const path = join(folder, `wrong-${index}`);
        await writeFile(path, text);
        const all = async () => {
          for await (const _ of elementsOf(path));
        };
        await expect(all(), text).rejects.toThrow(path);
        if (!text.includes("[1, ")) await expect(all(), text).rejects.toThrow("jq -s .");
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
