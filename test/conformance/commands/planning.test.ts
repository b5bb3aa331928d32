/** Commands for whoever plans hardware, run as they are typed: what they print agrees with itself. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as calibrate from "../../../scripts/commands/calibrate/main.ts";
import * as models from "../../../scripts/commands/models.ts";
import * as plan from "../../../scripts/commands/plan/main.ts";
import * as profile from "../../../scripts/commands/profile.ts";
import * as replay from "../../../scripts/commands/replay/main.ts";
import * as sweep from "../../../scripts/commands/sweep/main.ts";
import { figuresOf, runCommand } from "../../support/command.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trainyard-commands-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The plan's line of a place. */
const lineOf = (text: string, place: number): string =>
  text.split("\n").find((its) => new RegExp(`^ *${place} +\\S`).test(its)) ?? "";

const json = async (path: string) => JSON.parse(await readFile(path, "utf8"));

describe("trainyard models", () => {
  it("tells sizes that follow from the shapes, as a table and as JSON", async () => {
    const { code, text } = await runCommand(models, "Llama-3.1-8B");
    expect(code).toBe(0);
    // 8.03 B parameters in BF16; 32 layers of 8 KV heads of 128, K and V.
    expect(text).toMatch(/ 8\.0 B +16 GB +bf16 +131,072 +131 kB +llama +meta-llama\/Llama-3\.1-8B/);
    const all = JSON.parse((await runCommand(models, "Llama-3.1-8B --json")).text);
    expect(all[0].kvBytesPerToken).toBe(2 * 32 * 8 * 128 * 2);
    expect(all[0].bytes).toBe(2 * all[0].parameters);
    await expect(runCommand(models, "Llamma-3.1-8B-Instruct")).rejects.toThrow(
      /nearest: .*Llama-3\.1-8B/,
    );
  });
});

describe("trainyard profile", () => {
  const line = (more = ""): string =>
    `meta-llama/Llama-3.1-8B-Instruct --instance trn2.3xlarge --tp 4 --prompt 128 --out ${join(folder, "p")} ${more}`;

  it("divides a step's time wholly, and writes what it printed", async () => {
    const { code, text } = await runCommand(profile, line());
    expect(code).toBe(0);
    const block = text.split("where the time goes")[1]?.split("\n\n")[0] ?? "";
    const parts = block
      .split("\n")
      .slice(1)
      .map((its) => [its.split(" ")[0], figuresOf(its, /^\S+/)[0] ?? 0] as const);
    const sum = parts.find(([name]) => name === "sum")?.[1] ?? 0;
    const rest = parts.filter(([name]) => name !== "sum").reduce((all, [, ms]) => all + ms, 0);
    expect(rest).toBeCloseTo(sum, 1);
    const summary = await json(join(folder, "p.summary.json"));
    expect(JSON.stringify(summary)).toContain("hbm_read_bytes");
  });

  it("is shorter with twice the bandwidth, and says that it is a what-if", async () => {
    const total = async (more: string): Promise<number> =>
      figuresOf((await runCommand(profile, line(more))).text, /^sum/)[0] ?? 0;
    const [plain, twice] = [await total(""), await total("--set hbm.bandwidth=2x")];
    expect(twice).toBeLessThan(plain);
    expect(twice).toBeGreaterThan(plain / 2);
    const { text } = await runCommand(profile, line("--set hbm.bandwidth=2x"));
    expect(text).toContain("what if hbm.bandwidth=2x");
    const cache = async (more: string): Promise<number> =>
      figuresOf((await runCommand(profile, line(`--context 8192 ${more}`))).text, /^kv/)[0] ?? 0;
    const [whole, half] = [await cache(""), await cache("--kv-cache-dtype fp8")];
    expect(half / whole).toBeGreaterThan(0.4);
    expect(half / whole).toBeLessThan(0.65);
    await expect(runCommand(profile, line("--device null"))).rejects.toThrow("--device");
  });
});

describe("trainyard sweep", () => {
  it("writes a report whose table is the one it printed", async () => {
    const out = join(folder, "sweep");
    const line = `Qwen/Qwen3-0.6B --instance trn2.3xlarge --tp 4 --concurrency 1,2 --shape 64/8 --requests-per-user 2 --quiet --out ${out}`;
    const { code, text } = await runCommand(sweep, line);
    expect(code).toBe(0);
    const { rows } = await json(join(out, "sweep.json"));
    expect(rows.map((row: { concurrency: number }) => row.concurrency)).toEqual([1, 2]);
    for (const row of rows) {
      const [pace] = figuresOf(text, new RegExp(`^ +${row.concurrency} `));
      expect(pace).toBeCloseTo(row.tokens_per_s_per_user_inferencex, 1);
    }
    expect(text).toMatch(/tokens\/s\/user: 1000 \/ median TPOT/);
    const again = await runCommand(sweep, line);
    expect(again.code).toBe(0);
    expect(figuresOf(again.text, /^ +2 /)).toEqual(figuresOf(text, /^ +2 /));
  });

  it("reads weights in the format that is asked for, which takes less time", async () => {
    const pace = async (name: string, more: string): Promise<readonly [number, string]> => {
      const out = join(folder, name);
      const line = `meta-llama/Llama-3.1-8B-Instruct --instance trn2.3xlarge --tp 4 --concurrency 1 --shape 64/8 --requests-per-user 2 --quiet --no-chart --out ${out} ${more}`;
      expect((await runCommand(sweep, line)).code).toBe(0);
      const [row] = (await json(join(out, "sweep.json"))).rows;
      return [row.tokens_per_s_per_user_inferencex, row.precision];
    };
    const [plain, format] = await pace("plain", "");
    const [fp8, asked] = await pace("fp8", "--quantization fp8");
    expect([format, asked]).toEqual(["bf16", "fp8"]);
    expect(fp8).toBeGreaterThan(1.2 * plain);
  });

  it("ends with 1 where no point could be had", async () => {
    const line =
      "Qwen/Qwen3-0.6B --instance trn2.3xlarge --tp 3 --concurrency 1 --quiet --no-chart";
    const { code, text } = await runCommand(sweep, line);
    expect(code).toBe(1);
    expect(text).not.toContain("tokens/s/user");
    for (const ratio of ["0", "1.01", "-1"]) {
      await expect(runCommand(sweep, `${line} --random-range-ratio ${ratio}`)).rejects.toThrow(
        "--random-range-ratio must be above 0 and at most 1",
      );
    }
  });
});

describe("trainyard plan", () => {
  const line = (more: string): string =>
    `Qwen/Qwen3-0.6B --instance trn2.3xlarge,trn1.2xlarge,inf2.xlarge --tp 1,2,4 --formats stored --users 4 --input-len 64 --output-len 16 --seconds 60 ${more}`;

  it("ranks what keeps the promise, and writes all of it", async () => {
    const [file, csv] = [join(folder, "plan.json"), join(folder, "plan.csv")];
    const { code, text } = await runCommand(
      plan,
      line(`--ttft 2 --tokens-per-user 20 --json ${file} --csv ${csv}`),
    );
    expect(code).toBe(0);
    expect(text).toContain("trainyard serve Qwen/Qwen3-0.6B --device trainium --instance");
    const written = JSON.stringify(await json(file));
    expect(written).toContain("tokensPerUser");
    const [head, ...lines] = (await readFile(csv, "utf8")).trim().split("\n");
    expect(head).toMatch(/^place,name,instance,tensorParallel/);
    expect(lines.length).toBeGreaterThan(0);
    expect(text).toMatch(/No price is listed for|\$/);
  });

  it("takes prices, and says why nothing keeps a promise too good", async () => {
    const priced = await runCommand(
      plan,
      line(
        "--ttft 2 --tokens-per-user 20 --price-per-hour trn2.3xlarge=9 trn1.2xlarge=1.34 inf2.xlarge=0.76",
      ),
    );
    expect(priced.code).toBe(0);
    // Ranked by dollars an hour, which stand before those of a million tokens.
    const dollars = [1, 3, 5].map((place) =>
      Number(/ (\d+\.\d\d) +\d+\.\d\d +\d+$/.exec(lineOf(priced.text, place))?.[1]),
    );
    expect(dollars).toEqual([0.76, 1.34, 9]);
    const none = await runCommand(plan, line("--ttft 0.001 --tokens-per-user 20"));
    expect(none.code).toBe(1);
    expect(none.text).not.toContain("trainyard serve");
    expect(none.text.split("\n").length).toBeGreaterThan(2);
    await expect(runCommand(plan, line("--percentile 101"))).rejects.toThrow("--percentile");
  });
});

describe("trainyard bench replay", () => {
  it("compares prefix caching with none on tool loops, and writes the figures", async () => {
    const file = join(folder, "replay.json");
    const { code, text } = await runCommand(
      replay,
      `--model Qwen/Qwen3-0.6B --sessions 3 --length-scale 0.2 --json ${file}`,
    );
    expect(code).toBe(0);
    const { rows, columns } = await json(file);
    expect(rows.map((row: { name: string }) => row.name)).toEqual([
      "prefix caching on",
      "prefix caching off",
    ]);
    expect(rows[0].hit_rate).toBeGreaterThan(20);
    expect(rows[1].hit_tokens).toBe(0);
    expect(figuresOf(text, /^ *prefix caching on/)[0]).toBe(rows[0].completed);
    expect(columns.length).toBe(Object.keys(rows[0]).length);
  });

  it("reads a trace by its name, scaled, with a pool without end", async () => {
    const trace = join(folder, "mooncake_trace.jsonl");
    const request = (at: number, ids: readonly number[]): string =>
      JSON.stringify({
        timestamp: at,
        input_length: ids.length * 512,
        output_length: 4,
        hash_ids: ids,
      });
    await writeFile(trace, `${request(0, [1, 2])}\n${request(3000, [1, 2])}\n`);
    const { code, text } = await runCommand(
      replay,
      `--model Qwen/Qwen3-0.6B --trace ${trace} --format mooncake --prefix-caching on --endless-cache`,
    );
    expect(code).toBe(0);
    expect(text).toContain("never evicts");
    expect(text).not.toContain("prefix caching off");
    await expect(runCommand(replay, "--trace /tmp/nothing.bin")).rejects.toThrow("--format");
    await expect(runCommand(replay, "")).rejects.toThrow("--trace FILE or --sessions N");
  });
});

describe("trainyard calibrate", () => {
  const system = "--model meta-llama/Llama-3.1-8B-Instruct --instance trn2.3xlarge --tp 4";

  it("learns from one stream's TPOT and TTFT what makes them right", async () => {
    const file = join(folder, "calibration.json");
    const line = `${system} --tpot 20 --ttft 120 --out ${file}`;
    const { code, text } = await runCommand(calibrate, line);
    expect(code).toBe(0);
    const { effects, errorBefore, errorAfter } = await json(file);
    expect(errorAfter).toBeLessThan(0.02);
    expect(errorBefore).toBeGreaterThan(errorAfter);
    expect(effects.decode).toBeGreaterThan(1);
    expect(text).toMatch(/Learnt: steps ×\d/);
    const again = await runCommand(calibrate, `${line} --calibration ${file}`);
    expect(figuresOf(again.text, /^TPOT/)[0]).toBe(20);
    await expect(runCommand(calibrate, system)).rejects.toThrow("Give a FILE");
    await expect(runCommand(calibrate, `${system} --tpot 5 --device null`)).rejects.toThrow(
      "--device must be trainium",
    );
  });

  it("says which rows of a file it cannot use", async () => {
    const file = join(folder, "mine.csv");
    const rows = await readFile("device/trainium/validation/neuron-calibration.csv", "utf8");
    const [head = "", ...lines] = rows.trim().split("\n");
    const decode = lines.filter((its) => /Llama-3\.1-8B/.test(its)).slice(0, 6);
    await writeFile(file, `${[head, ...decode].join("\n")}\n`);
    const { code, text } = await runCommand(
      calibrate,
      `${file} --out ${join(folder, "mine.json")}`,
    );
    expect(code).toBe(0);
    expect(text).toMatch(/Learnt: /);
  });
});
