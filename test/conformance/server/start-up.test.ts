/** The simulated start: a folder of compiled graphs, what is reported, what is waited for. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { createDevice } from "../../../device/registry.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { parseSettings } from "../../../server/config.ts";
import { SettingsError } from "../../../server/settings/error.ts";
import { NeffFolder } from "../../../server/world/neff-folder.ts";
import { openNeffFolder, simulatedStart, startUpFields } from "../../../server/world/start-up.ts";
import { catalogueModel } from "../../support/catalogue.ts";
import { startServer } from "../../support/server.ts";

const temporary = (): string => mkdtempSync(join(tmpdir(), "neff-"));

async function start(path: string, argv: readonly string[] = [], tensorParallel = 4) {
  const clock = new VirtualClock();
  const sampler = new TokenSampler({ seed: 0, logprobsMode: "raw_logprobs" });
  const device = await createDevice("trainium", {
    model: catalogueModel("Qwen/Qwen3-8B"),
    clock,
    sampler,
    tensorParallelSize: tensorParallel,
    seed: 0,
    own: {},
    maxRows: 4,
    maxContext: 4096,
  });
  const waits: number[] = [];
  const kept: number[] = [];
  const started = simulatedStart(device, {
    settings: parseSettings(argv).settings,
    folder: new NeffFolder(path),
    waiter: () => (milliseconds) => {
      waits.push(milliseconds);
      kept.push(readdirSync(path).length);
      return Promise.resolve();
    },
  });
  if (started === undefined) throw new Error("The device is simulated.");
  return { started, waits, kept };
}

describe("the NEFF cache", () => {
  it("is hit by the second start and missed with another TP", async () => {
    const path = temporary();
    const { started: first, waits } = await start(path);
    expect(first.compileSeconds).toBeGreaterThan(60);
    expect(readdirSync(path)).toEqual([]);
    await first.run();
    expect(waits).toEqual([]);
    expect(readdirSync(path).length).toBe(first.neffs.length);

    const { started: second } = await start(path);
    expect(second.compileSeconds).toBe(0);
    expect(second.loadSeconds).toBe(first.loadSeconds);
    expect(second.line).toContain(`${first.neffs.length} graphs are cached`);
    expect(startUpFields(second)).toMatchObject({
      compileSeconds: 0,
      graphs: first.neffs.length,
      cached: first.neffs.length,
      cache: path,
    });

    const { started: other } = await start(path, [], 2);
    expect(other.compileSeconds).toBe(first.compileSeconds);
  });

  it("takes a file that does not hold its key for absent", async () => {
    const path = temporary();
    const { started } = await start(path);
    await started.run();
    const [one = "", other = ""] = readdirSync(path);
    writeFileSync(join(path, one), "");
    writeFileSync(join(path, other), JSON.stringify({ key: "another" }));
    const { started: again } = await start(path);
    expect(again.neffs.filter((neff) => !neff.cached).length).toBe(2);
  });

  it("keeps key and time of a graph", async () => {
    const path = temporary();
    const { started } = await start(path);
    await started.run();
    const entries = readdirSync(path).map(
      (file) => JSON.parse(readFileSync(join(path, file), "utf8")) as Record<string, unknown>,
    );
    const decode = entries.find((entry) => entry["name"] === "decode_4x4096");
    expect(decode?.["is_simulation"]).toBe(true);
    expect(decode?.["compileSeconds"]).toBeGreaterThan(6.6);
    for (const part of ["sdk-", "vllm-neuron", "tp4-", "bf16", "decode_4x4096"]) {
      expect(decode?.["key"]).toContain(part);
    }
  });

  it("refuses a folder that cannot be one, with the flag's name", () => {
    const file = join(temporary(), "file");
    writeFileSync(file, "");
    expect(() => openNeffFolder(file)).toThrow(SettingsError);
    expect(() => openNeffFolder(join(file, "below"))).toThrow(/^--neff-cache: /);
  });

  it("does without the default folder where it cannot be written", () => {
    const before = process.env["XDG_CACHE_HOME"];
    const folder = temporary();
    try {
      process.env["XDG_CACHE_HOME"] = folder;
      expect(openNeffFolder(undefined)?.path).toBe(join(folder, "trainyard", "neff"));
      const blocked = join(temporary(), "blocked");
      mkdirSync(blocked);
      writeFileSync(join(blocked, "trainyard"), "");
      process.env["XDG_CACHE_HOME"] = blocked;
      expect(openNeffFolder(undefined)).toBeUndefined();
    } finally {
      process.env["XDG_CACHE_HOME"] = before;
    }
  });
});

describe("--simulate-startup", () => {
  it("waits for each graph, keeps it then, and waits for the load", async () => {
    const path = temporary();
    const { started, waits, kept } = await start(path, [
      "--simulate-startup",
      "--time-scale",
      "0.5",
    ]);
    const { neffs, compileSeconds, loadSeconds } = started;
    expect(started.line).toContain("waiting");
    await started.run();
    expect(waits.length).toBe(neffs.length + 1);
    expect(waits[0]).toBeCloseTo((500 * compileSeconds) / neffs.length, 6);
    expect(waits.at(-1)).toBeCloseTo(500 * (compileSeconds + loadSeconds), 6);
    expect(kept).toEqual(Array.from({ length: neffs.length + 1 }, (_, index) => index));

    const { started: second, waits: short } = await start(path, ["--simulate-startup"]);
    await second.run();
    expect(short).toEqual([1000 * second.loadSeconds]);
  });

  it("delays the server, whose metrics tell the simulated times", async () => {
    const path = temporary();
    const argv = ["Qwen/Qwen3-0.6B", "--device", "trainium", "--values", "synthetic"];
    const cache = ["--neff-cache", path, "--max-model-len", "1024", "--max-num-seqs", "2"];
    const read = async (extra: readonly string[]) => {
      const began = performance.now();
      const server = await startServer([...argv, ...cache, ...extra]);
      const took = (performance.now() - began) / 1000;
      const seconds = (name: string) => server.metric(`vllm_neuron:${name}`);
      try {
        return {
          took,
          total: await seconds("startup_time_seconds"),
          compile: await seconds("compilation_time_seconds"),
          load: await seconds("model_load_time_seconds"),
          bytes: await seconds("model_load_size_bytes"),
        };
      } finally {
        await server.stop(0);
      }
    };
    const scale = 0.01;
    const first = await read(["--simulate-startup", "--time-scale", String(scale)]);
    expect(first.compile).toBeGreaterThan(6);
    expect(first.load).toBeGreaterThan(6.7);
    expect(first.total).toBeCloseTo(first.compile + first.load, 6);
    expect(first.bytes).toBeGreaterThan(1e9);
    expect(first.took).toBeGreaterThan(first.total * scale);

    const second = await read([]);
    expect(second.compile).toBe(0);
    expect(second.total).toBe(first.load);
  });
});
