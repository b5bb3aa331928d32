/** Sweeps that are run: lines of two models, and what a folder of results takes. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseSweep } from "../../scripts/commands/sweep/flags.ts";
import { sweep } from "../../scripts/commands/sweep/sweep.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "trainyard-sweep-"));
  folders.push(folder);
  return folder;
};

const SMALL =
  "--instance trn2.3xlarge --tp 4 --concurrency 1,2 --shape 32/4 --requests-per-user 2 --quiet";
const options = (models: string, ...more: string[]) =>
  parseSweep([models, ...SMALL.split(" "), ...more], () => {});
describe("lines of a chart", () => {
  it("tell two models of one sweep apart", async () => {
    const { points } = await sweep(options("meta-llama/Llama-3.2-1B-Instruct,Qwen/Qwen3-0.6B"));
    expect(new Set(points.map(({ series }) => series)).size).toBe(2);
    expect(new Set(points.map(({ series, concurrency }) => `${series} ${concurrency}`)).size).toBe(
      4,
    );
  });
});

describe("a folder of results", () => {
  it("takes more of the same sweep, and refuses another's points and other files", async () => {
    const out = await newFolder();
    const model = "meta-llama/Llama-3.2-1B-Instruct";
    await sweep(options(model, "--out", out));
    const before = await readdir(join(out, "points"));
    await expect(sweep(options(model, "--seed", "1", "--out", out))).rejects.toThrow(
      "another sweep",
    );
    await expect(sweep(options("Qwen/Qwen3-0.6B", "--out", out))).rejects.toThrow("another sweep");
    expect(await readdir(join(out, "points"))).toEqual(before);
    expect((await sweep(options(model, "--concurrency", "1,2,4", "--out", out))).resumed).toBe(2);

    const other = await newFolder();
    await writeFile(join(other, "report.html"), "mine");
    await expect(sweep(options(model, "--out", other))).rejects.toThrow("no sweep's");
    expect(await readFile(join(other, "report.html"), "utf8")).toBe("mine");
  });

  it("is never given a point without an answer", async () => {
    const out = await newFolder();
    // No request fits so few blocks: all fail, which is a finding and not a rate.
    const { points, refused } = await sweep(
      options("meta-llama/Llama-3.2-1B-Instruct", "--num-gpu-blocks-override", "1", "--out", out),
    );
    expect(points).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
    expect(await readdir(out)).toEqual([]);
  });
});
