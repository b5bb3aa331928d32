/** Commands that load a server, run as they are typed: a trace replayed, a sweep resumed, a bench saved, and what fails. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as bench from "../../scripts/commands/bench/main.ts";
import * as sweep from "../../scripts/commands/sweep/main.ts";
import { figuresOf, runCommand } from "../support/command.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trainyard-load-"));
  server = await startServer(["models/tiny/llama", "--device", "null", "--api-key", "secret"]);
});
afterAll(async () => {
  await server.stop(0);
  await rm(folder, { recursive: true, force: true });
});

const json = async (path: string) => JSON.parse(await readFile(path, "utf8"));

describe("trainyard bench replay --url", () => {
  it("sends the trace's lengths at its times, and counts what the server answered", async () => {
    const trace = join(folder, "timed.jsonl");
    const lines = [0, 0.1, 0.2].map((timestamp) =>
      JSON.stringify({ timestamp, input_length: 32, output_length: 3, hash_ids: [1, 2] }),
    );
    await writeFile(trace, lines.join("\n"));
    const before = await server.metric("vllm:generation_tokens_total");
    const out = join(folder, "replay.json");
    const flags = `--trace ${trace} --format timed_trace --url ${server.url}/ --json ${out}`;
    const { code, text } = await runCommand(bench, `replay ${flags} --api-key secret`);
    expect(code).toBe(0);
    expect(text).toContain("timed_trace: 3 requests over 0 s");
    // Two of three prompts could find both of their blocks.
    expect(text).toContain("would hit 4 of 6 (66.67 %)");
    expect(text).not.toContain("undefined");
    const { rows, columns } = await json(out);
    expect(rows[0]).toMatchObject({ completed: 3, failed: 0, total_output_tokens: 9 });
    expect(rows[0].name).toMatch(/^over HTTP \(late p99 \d/);
    expect(rows[0].duration).toBeGreaterThanOrEqual(0.2);
    expect(columns.find(({ key }: { key: string }) => key === "duration").unit).toBe("s");
    expect((await server.metric("vllm:generation_tokens_total")) - before).toBe(9);
    await expect(runCommand(bench, `replay ${flags} --api-key wrong`)).rejects.toThrow("401");
    const long = join(folder, "long.jsonl");
    await writeFile(long, '{"timestamp":0,"input_length":99999,"output_length":3,"hash_ids":[]}');
    const failed = await runCommand(
      bench,
      `replay --trace ${long} --format timed_trace --url ${server.url} --api-key secret`,
    );
    expect(failed.code).toBe(1);
    expect(failed.text).toMatch(/^over HTTP .*: .*maximum context length/m);
  });
});

describe("trainyard sweep --url", () => {
  const line = (more: string): string =>
    `--url ${server.url} --api-key secret --shape 16/4 --requests-per-user 2 --warmups-per-user 0 ${more}`;

  it("measures points in real time, keeps them, and reads them back", async () => {
    const out = join(folder, "sweep");
    const first = await runCommand(sweep, line(`--concurrency 1,2 --out ${out}`));
    expect(first.code).toBe(0);
    expect(first.text).toMatch(/^2 points in .* \(real time\)\.$/m);
    expect(first.text).not.toContain("(simulated)");
    const again = await runCommand(
      sweep,
      line(`--concurrency 1,2,3 --quiet --no-chart --out ${out}`),
    );
    expect(again.text).toMatch(/^3 points in .* \(real time, 2 read back\)\.$/m);
    const { rows } = await json(join(out, "sweep.json"));
    expect(rows.map((row: { completed: number }) => row.completed)).toEqual([2, 4, 6]);
    for (const row of rows) {
      const [pace] = figuresOf(again.text, new RegExp(`^ +${row.concurrency} `));
      expect(pace).toBeCloseTo(row.tokens_per_s_per_user_inferencex, 1);
    }
    expect((await readdir(join(out, "points"))).length).toBe(3);
  });

  it("keeps no point that nobody answered, and says what the first heard", async () => {
    const { code, text } = await runCommand(sweep, line("--concurrency 1 --shape 99999/4"));
    expect(code).toBe(1);
    expect(text).toBe("");
    await expect(runCommand(sweep, "--device null")).rejects.toThrow("--device null keeps no time");
  });
});

describe("trainyard bench serve", () => {
  const line = (more: string): readonly string[] => [
    ...["serve", "--base-url", server.url, "--header", "authorization=Bearer secret"],
    ...`--input-len 8 --output-len 3 --ignore-eos --disable-tqdm ${more}`.split(" "),
  ];

  it("warms up beside what it measures, and appends results where told", async () => {
    const before = await server.metric("vllm:request_success_total", 'finished_reason="length"');
    const flags = `--num-prompts 4 --num-warmups 2 --max-concurrency 2 --append-result --result-dir ${folder} --result-filename runs.jsonl --label mine --metadata who=me`;
    for (const run of [1, 2]) {
      const { code, text } = await runCommand(bench, line(flags));
      expect(code).toBe(0);
      expect(figuresOf(text, /^Successful requests:/)).toEqual([4]);
      expect(figuresOf(text, /^Maximum request concurrency:/)).toEqual([2]);
      expect(text.trimEnd().endsWith(join(folder, "runs.jsonl"))).toBe(true);
      const kept = (await readFile(join(folder, "runs.jsonl"), "utf8")).trim().split("\n");
      expect(kept).toHaveLength(run);
      expect(JSON.parse(kept.at(-1) ?? "")).toMatchObject({
        completed: 4,
        label: "mine",
        who: "me",
      });
    }
    const after = await server.metric("vllm:request_success_total", 'finished_reason="length"');
    // Each run: a check that the server is ready is off unless asked for.
    expect(after - before).toBe(2 * (4 + 2));
  });

  it("names its file after rate, users and model", async () => {
    const own = join(folder, "named");
    const flags = `--num-prompts 2 --request-rate 500 --max-concurrency 1 --save-result --result-dir ${own}`;
    expect((await runCommand(bench, line(flags))).code).toBe(0);
    const [name] = await readdir(own);
    expect(name).toMatch(/^openai-500qps-concurrency1-llama-\d{8}-\d{6}\.json$/);
    expect(await json(join(own, name ?? ""))).toMatchObject({ request_rate: 500, num_prompts: 2 });
  });

  it("sends nothing that could only be refused, and waits for a server no longer than told", async () => {
    const before = await server.metric("vllm:request_success_total", 'finished_reason="length"');
    const long = ["serve", "--base-url", server.url, "--header", "authorization=Bearer secret"];
    await expect(
      runCommand(bench, [...long, ..."--input-len 99999 --output-len 3".split(" ")]),
    ).rejects.toThrow(/context holds \d+ tokens, the shortest request has 100002/);
    await expect(
      runCommand(bench, line("--model nobody --ready-check-timeout-sec 0.2 --num-prompts 1")),
    ).rejects.toThrow(/Not ready after 0\.2 s: .*nobody/);
    expect(await server.metric("vllm:request_success_total", 'finished_reason="length"')).toBe(
      before,
    );
    const none = await runCommand(bench, line("--model nobody --num-prompts 2"));
    expect([none.code, none.text]).toEqual([1, ""]);
  });

  it("ramps its rate, and asks a profile of a server that has none without failing", async () => {
    const ramp = "--ramp-up-strategy linear --ramp-up-start-rps 50 --ramp-up-end-rps 500";
    const { code, text } = await runCommand(bench, line(`--num-prompts 6 ${ramp} --profile`));
    expect(code).toBe(0);
    expect(figuresOf(text, /^Successful requests:/)).toEqual([6]);
    const trace = join(folder, "self.jsonl");
    await writeFile(
      trace,
      [0, 0.3]
        .map((timestamp) =>
          JSON.stringify({ timestamp, input_length: 16, output_length: 2, hash_ids: [1] }),
        )
        .join("\n"),
    );
    const timed = await runCommand(
      bench,
      line(`--dataset-name timed_trace --dataset-path ${trace} --num-prompts 2`),
    );
    expect(timed.code).toBe(0);
    // The trace's own times, whatever rate.
    expect(figuresOf(timed.text, /^Benchmark duration \(s\):/)[0]).toBeGreaterThanOrEqual(0.3);
  });
});
