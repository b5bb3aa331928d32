/** What `bench serve` sends, by dataset and flags: lengths, texts, arrivals, and what is refused. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { asText, benchRequests, wordsFor } from "../../../scripts/commands/bench/dataset.ts";
import { parseBench } from "../../../scripts/commands/bench/flags.ts";
import { idRange, type Words } from "../../../scripts/workload/request.ts";

/** A word is a token. */
const WORDS: Words = {
  ids: idRange(100, 1000),
  encode: async (text) => Int32Array.from(text.split(/\s+/).filter(Boolean), (_, at) => at),
  decode: async (ids) => Array.from(ids, (id) => `w${id}`).join(" "),
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trainyard-datasets-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const options = (line: string) => parseBench(line.split(" ").filter(Boolean), () => {});
const drawn = (line: string) => benchRequests(options(line), WORDS);

describe("datasets of bench serve", () => {
  it("custom: lines in their order, as many as asked, repeated unless that is off", async () => {
    const path = await file(
      "custom.jsonl",
      [1, 2, 3].map((n) => `{"prompt":"say ${n}","output_tokens":${n}}`).join("\n"),
    );
    const line = `--dataset-name custom --dataset-path ${path} --disable-shuffle`;
    const two = await drawn(`${line} --num-prompts 2 --custom-output-len -1`);
    expect(two).toMatchObject([
      { prompt: { type: "text", text: "say 1" }, promptTokens: 2, outputTokens: 1 },
      { prompt: { text: "say 2" }, outputTokens: 2 },
    ]);
    const five = await drawn(`${line} --num-prompts 5 --custom-output-len 9`);
    expect(five).toHaveLength(5);
    expect(five.every(({ outputTokens }) => outputTokens === 9)).toBe(true);
    const texts = new Set(["say 1", "say 2", "say 3"]);
    for (const { prompt } of five) expect(texts).toContain(prompt.type === "text" && prompt.text);
    expect(await drawn(`${line} --num-prompts 5 --no-oversample`)).toHaveLength(3);
  });

  it("sharegpt: the first turn asks, the second gives the length unless a flag does", async () => {
    const turn = (ask: string, answer: string) => ({
      conversations: [{ value: ask }, { value: answer }],
    });
    const path = await file(
      "sharegpt.json",
      JSON.stringify([turn("a b c d e", "one two three four"), turn("too short", "x")]),
    );
    const line = `--dataset-name sharegpt --dataset-path ${path} --num-prompts 1`;
    expect(await drawn(line)).toMatchObject([{ promptTokens: 5, outputTokens: 4 }]);
    expect(await drawn(`${line} --sharegpt-output-len 33`)).toMatchObject([
      { promptTokens: 5, outputTokens: 33 },
    ]);
  });

  it("sonnet: near the length asked for, with lines that all share", async () => {
    const path = await file(
      "sonnet.txt",
      Array.from({ length: 20 }, (_, at) => `line ${at} of some poem`).join("\n\n"),
    );
    const line = `--dataset-name sonnet --dataset-path ${path} --num-prompts 3 --sonnet-input-len 61 --sonnet-prefix-len 31 --sonnet-output-len 5`;
    const found = await drawn(line);
    for (const { promptTokens, outputTokens } of found) {
      expect(Math.abs(promptTokens - 61)).toBeLessThanOrEqual(5);
      expect(outputTokens).toBe(5);
    }
    const shared = "line 0 of some poem\nline 1 of some poem";
    for (const { prompt } of found)
      expect(prompt).toMatchObject({ text: expect.stringContaining(shared) });
  });

  it("burstgpt: one model's requests unless all are asked for, failures left out", async () => {
    const path = await file(
      "burst.csv",
      [
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
        "1,GPT-4,10,3,13,log",
        "2,ChatGPT,20,4,24,log",
        "3,GPT-4,30,0,30,log",
        "4,GPT-4,40,5,45,log",
      ].join("\n"),
    );
    const line = `--dataset-name burstgpt --dataset-path ${path} --num-prompts 9 --no-oversample`;
    const lengths = async (more = "") =>
      (await drawn(`${line}${more}`))
        .map(({ promptTokens, outputTokens }) => [promptTokens, outputTokens])
        .sort(([a = 0], [b = 0]) => a - b);
    expect(await lengths()).toEqual([
      [10, 3],
      [40, 5],
    ]);
    expect(await lengths(" --burstgpt-model all")).toEqual([
      [10, 3],
      [20, 4],
      [40, 5],
    ]);
  });

  it("timed_trace: cut to the count, never repeated, at its own times", async () => {
    const path = await file(
      "trace.jsonl",
      [0, 2, 5]
        .map((at) => `{"timestamp":${at},"input_length":32,"output_length":4,"hash_ids":[${at},9]}`)
        .join("\n"),
    );
    const line = `--dataset-name timed_trace --dataset-path ${path}`;
    expect((await drawn(`${line} --num-prompts 2`)).map(({ arrival }) => arrival)).toEqual([0, 2]);
    expect(await drawn(`${line} --num-prompts 10`)).toHaveLength(3);
    expect(options(line).selfTimed).toBe(true);
  });

  it("prefix_repetition: so many prefixes, each followed by what is its own", async () => {
    const line =
      "--dataset-name prefix_repetition --num-prompts 6 --prefix-repetition-prefix-len 8 --prefix-repetition-suffix-len 4 --prefix-repetition-num-prefixes 2 --prefix-repetition-output-len 3";
    const found = await drawn(line);
    const prefixes = found.map(({ prompt }) =>
      prompt.type === "ids" ? [...prompt.ids.slice(0, 8)].join() : "",
    );
    expect(new Set(prefixes).size).toBe(2);
    for (const { promptTokens, outputTokens } of found) {
      expect([promptTokens, outputTokens]).toEqual([12, 3]);
    }
  });

  it("that are files need a path", async () => {
    await expect(drawn("--dataset-name sharegpt")).rejects.toThrow(
      "--dataset-name sharegpt needs --dataset-path",
    );
  });
});

describe("the words of bench serve", () => {
  const nowhere = { baseUrl: "http://127.0.0.1:1", headers: {} };

  it("are those of --tokenizer, and ids of any vocabulary where nobody says", async () => {
    const own = await wordsFor(options("--tokenizer models/tiny/llama"), nowhere, "m");
    const ids = (await own.encode?.("Hello there")) ?? new Int32Array();
    expect(await own.decode?.(ids)).toBe("Hello there");
    await expect(wordsFor(options(`--tokenizer ${folder}`), nowhere, "m")).rejects.toThrow(
      `--tokenizer ${folder} has no tokenizer.json`,
    );
    const any = await wordsFor(options(""), nowhere, "m");
    expect([any.ids.at(0), any.ids.at(any.ids.length - 1), any.encode]).toEqual([
      100,
      999,
      undefined,
    ]);
  });

  it("as text are decoded, or plain words, about one a token", async () => {
    const request = {
      prompt: { type: "ids", ids: Int32Array.of(5, 6, 7) },
      promptTokens: 3,
      outputTokens: 1,
    } as const;
    const said = {
      prompt: { type: "text", text: "as it is" },
      promptTokens: 3,
      outputTokens: 1,
    } as const;
    const textOf = async (words: Words): Promise<readonly unknown[]> =>
      (await asText([request, said], words)).map(({ prompt }) => prompt);
    expect(await textOf(WORDS)).toEqual([{ type: "text", text: "w5 w6 w7" }, said.prompt]);
    const [plain] = (await textOf({ ids: WORDS.ids })) as [{ text: string }];
    expect(plain.text.split(" ")).toHaveLength(3);
    expect(plain.text).not.toMatch(/undefined|\d/);
  });
});

describe("flags of bench serve", () => {
  it("ramps rise, in one of two ways, without a rate beside them", () => {
    const ramp = (more: string) => options(`--ramp-up-strategy ${more}`).ramp;
    const from = "--ramp-up-start-rps";
    expect(ramp(`linear ${from} 1 --ramp-up-end-rps 9`)).toEqual({
      strategy: "linear",
      startRps: 1,
      endRps: 9,
    });
    // A first rate of 0 would never send.
    expect(ramp(`linear ${from} 0 --ramp-up-end-rps 9`)?.startRps).toBe(0.009);
    expect(() => ramp("linear")).toThrow("needs --ramp-up-start-rps and --ramp-up-end-rps");
    expect(() => ramp(`linear ${from} 1`)).toThrow("needs --ramp-up-start-rps");
    expect(() => ramp(`linear ${from} 9 --ramp-up-end-rps 9`)).toThrow("The ramp must rise");
    expect(() => ramp(`exponential ${from} 0 --ramp-up-end-rps 9`)).toThrow("must start above 0");
    expect(() => ramp(`linear ${from} 1 --ramp-up-end-rps 9 --request-rate 4`)).toThrow(
      "--request-rate has no effect with a ramp",
    );
  });

  it("a key of the environment is sent as a bearer, and one of --header wins", () => {
    vi.stubEnv("OPENAI_API_KEY", "k");
    try {
      expect(options("").headers).toEqual({ authorization: "Bearer k" });
      expect(options("--header authorization=other").headers).toEqual({ authorization: "other" });
    } finally {
      vi.unstubAllEnvs();
    }
    expect(() => options("--metadata bare")).toThrow('--metadata takes key=value, not "bare"');
  });
});
