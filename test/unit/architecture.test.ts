/** Who may import whom, read from the import lines: the house holds, or this fails. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LAYERS = ["models", "device", "engine", "server"] as const;

/** Third parties live in one home each (a folder prefix). */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  fastify: ["server/"],
  "@fastify/": ["server/"],
  pino: ["server/"],
  "prom-client": ["server/"],
  zeromq: ["server/"],
  "@msgpack/msgpack": ["server/"],
  "@mlc-ai/web-xgrammar": ["server/"],
  "onnxruntime-node": ["device/cpu/"],
  protobufjs: ["device/cpu/"],
  tokenizers: ["models/tokenizer/"],
  "@huggingface/jinja": ["models/tokenizer/"],
};

/** Where Node's own modules may be used below server/ and scripts/. */
const NODE_HOMES = [
  "server/",
  "scripts/",
  "device/cpu/",
  "device/clock.ts",
  "device/trace.ts",
  "models/weights/",
  "models/tokenizer/",
];

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

const files = [...LAYERS, "scripts"].flatMap(sources);
const text = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));

function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[\w*{][^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)/g;
  for (const match of (text.get(file) ?? "").matchAll(pattern)) {
    const target = match[2] ?? match[3] ?? "";
    found.push({
      file,
      target: target.startsWith(".")
        ? relative(root, resolve(root, dirname(file), target))
        : target,
      typeOnly: match[1] !== undefined,
    });
  }
  return found;
}

const imports = files.flatMap(importsOf);
const say = (list: readonly Import[]): string[] => list.map((i) => `${i.file} → ${i.target}`);
const layerOf = (path: string): number => LAYERS.findIndex((layer) => path.startsWith(`${layer}/`));

describe("architecture", () => {
  it("imports point down: server → engine → device → models", () => {
    const upward = imports.filter(
      ({ file, target }) => layerOf(file) >= 0 && layerOf(target) > layerOf(file),
    );
    expect(say(upward)).toEqual([]);
  });

  it("nobody imports scripts or tests but scripts and tests", () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        (target.startsWith("scripts/") && !file.startsWith("scripts/")) ||
        target.startsWith("test/"),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("the engine sees contracts, never a backend", () => {
    const contracts = ["device", "clock", "trace", "argmax"];
    const allowed = new Set(contracts.map((name) => `device/${name}.ts`));
    const wrong = imports.filter(
      ({ file, target, typeOnly }) =>
        file.startsWith("engine/") &&
        ((target.startsWith("device/") && !allowed.has(target)) ||
          (target.startsWith("models/") && !typeOnly)),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("backends do not import each other", () => {
    const backend = (path: string): string | undefined => /^device\/(\w+)\//.exec(path)?.[1];
    const wrong = imports.filter(({ file, target }) => {
      const from = backend(file);
      const to = backend(target);
      return from !== undefined && to !== undefined && from !== to;
    });
    expect(say(wrong)).toEqual([]);
  });

  it("every third party has its home", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (file.startsWith("scripts/")) return false;
      const home = Object.keys(HOMES).find((name) =>
        name.endsWith("/") ? target.startsWith(name) : target === name,
      );
      return home !== undefined && !HOMES[home]?.some((folder) => file.startsWith(folder));
    });
    expect(say(wrong)).toEqual([]);
  });

  it("Node's modules stay at the edge", () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        target.startsWith("node:") &&
        !NODE_HOMES.some((home) => file.startsWith(home)) &&
        !(file === "engine/kv/block-hash.ts" && target === "node:crypto"),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("no clock is read and no randomness drawn where time is passed in", () => {
    const forbidden =
      /\bMath\.random\b|\bDate\.now\b|\bnew Date\b|\bperformance\.|\bhrtime\b|\bset(?:Timeout|Interval|Immediate)\(/;
    const wrong = files.filter(
      (file) =>
        /^(?:engine|device\/null|device\/trainium)\//.test(file) &&
        forbidden.test((text.get(file) ?? "").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")),
    );
    expect(wrong).toEqual([]);
  });

  it("no cycles among imports of values", () => {
    const graph = new Map<string, string[]>();
    for (const { file, target, typeOnly } of imports) {
      if (!typeOnly && text.has(target)) graph.set(file, [...(graph.get(file) ?? []), target]);
    }
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
        return;
      }
      state.set(file, "open");
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      state.set(file, "done");
    };
    for (const file of graph.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("no file is longer than 400 lines", () => {
    const long = files.filter((file) => (text.get(file) ?? "").split("\n").length > 401);
    expect(long).toEqual([]);
  });

  it("dependencies are pinned exactly", () => {
    const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const { dependencies, devDependencies } = manifest as Record<string, Record<string, string>>;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d/.test(version),
    );
    expect(loose).toEqual([]);
  });
});
