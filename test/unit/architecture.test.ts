/** Who may import whom, read from the import lines: the house holds, or this fails. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
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
  "@huggingface/hub": ["models/weights/"],
  "@huggingface/jinja": ["models/tokenizer/"],
};

/** Where Node's own modules may be used below server/ and scripts/. */
const NODE_HOMES = [
  "server/",
  "scripts/",
  "device/cpu/",
  "device/clocks/quiet.ts",
  "device/thread.ts",
  "models/weights/",
  "models/tokenizer/",
];

/** What also runs where there is no Node: none of it may reach one of Node's modules by any chain of imports of values. */
const WITHOUT_NODE =
  /^(?:engine\/|device\/trainium\/|server\/web\/src\/|models\/(?!load\.ts|weights\/|tokenizer\/))/;

/** Functions fit a screen; what holds a table of rows is data and may be longer. */
const MOST_FUNCTION_LINES = 60;

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
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
const moduleImports = imports.filter(
  ({ target }) => text.has(target) || target.startsWith("node:"),
);
const say = (list: readonly Import[]): string[] => list.map((i) => `${i.file} → ${i.target}`);
const layerOf = (path: string): number => LAYERS.findIndex((layer) => path.startsWith(`${layer}/`));

/** The commands, and the pages: both stand on all the rest. */
const isRoof = (file: string): boolean =>
  file.startsWith("scripts/") || file.startsWith("server/web/");

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
        (target.startsWith("scripts/") && !isRoof(file)) ||
        // What maintainers write goldens of is the tests' own.
        (target.startsWith("test/") && !file.startsWith("scripts/maintain/goldens/")),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("the engine sees contracts, never a backend", () => {
    const contracts = [
      ...["device", "clock", "trace", "argmax", "logits", "random"],
      ...["verified", "id-map", "exp-minus"],
    ];
    const allowed = new Set(contracts.map((name) => `device/${name}.ts`));
    const wrong = imports.filter(
      ({ file, target, typeOnly }) =>
        file.startsWith("engine/") &&
        ((target.startsWith("device/") && !allowed.has(target)) ||
          (target.startsWith("models/") && target !== "models/ids.ts" && !typeOnly)),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("the server stands in storeys: settings → http → grammar → generation → requests → wire formats → app", () => {
    // Each uses those above its line here; a folder that is not named stands with the wire formats.
    const STOREYS = [
      "entry-at.ts appended.ts engines.ts guarded-thread.ts lower-priority.ts progress.ts sha256.ts version.ts",
      "hex-id.ts",
      "settings metrics",
      "http tracing kv-events profiler config.ts listen.ts stats-log.ts",
      "grammar adapters",
      "generation",
      "requests",
      "serving.ts",
      "exchange injection",
      "openai anthropic fixed",
      "inference ops pooling",
      "app.ts world",
      "library-inputs.ts",
      "library.ts main.ts",
      "testing",
    ].map((line) => line.split(" "));
    const formats = STOREYS.findIndex((storey) => storey.includes("openai"));
    const within = (path: string): string | undefined =>
      isRoof(path) ? undefined : childOf("server", path);
    const storeyOf = (name: string): number => {
      const found = STOREYS.findIndex((storey) => storey.includes(name));
      return found < 0 ? formats : found;
    };
    const wrong = imports.filter(({ file, target }) => {
      const [from, to] = [within(file), within(target)];
      return (
        from !== undefined && to !== undefined && from !== to && storeyOf(to) >= storeyOf(from)
      );
    });
    expect(say(wrong)).toEqual([]);
    const there = new Set(readdirSync(join(root, "server")));
    expect(STOREYS.flat().filter((name) => !there.has(name))).toEqual([]);
  });

  it("the KV cache knows holders of blocks, and no sequence, scheduler or event", () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        file.startsWith("engine/kv/") &&
        layerOf(target) >= 0 &&
        !/^(?:engine\/kv|device)\//.test(target),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("scripts stand in storeys: maintain → commands → virtual, report → load → workload", () => {
    // A storey may use those below it, and what stands beside the house's door: usage.ts.
    const BELOW: Readonly<Record<string, readonly string[]>> = {
      maintain: ["commands", "virtual", "report", "observability", "load", "workload"],
      commands: ["virtual", "report", "load", "workload"],
      virtual: ["report", "load", "workload"],
      report: ["load", "workload"],
      observability: ["load", "workload"],
      load: ["workload"],
      workload: [],
      deploy: [], // manifests: nothing is imported from there, and nothing there imports
    };
    const storey = (path: string): string | undefined => /^scripts\/(\w+)\//.exec(path)?.[1];
    const wrong = imports.filter(({ file, target }) => {
      const from = storey(file);
      const to = storey(target);
      if (to === "maintain") return from !== "maintain";
      return from !== undefined && to !== undefined && from !== to && !BELOW[from]?.includes(to);
    });
    expect(say(wrong)).toEqual([]);
    const known = new Set(Object.keys(BELOW));
    expect(
      readdirSync(join(root, "scripts"), { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !known.has(entry.name))
        .map(({ name }) => name),
    ).toEqual([]);
  });

  it("what is for maintainers is neither built nor shipped", () => {
    const read = (name: string): string => readFileSync(join(root, name), "utf8");
    const build = JSON.parse(read("tsconfig.build.json")) as { exclude?: string[] };
    expect(build.exclude).toContain("scripts/maintain");
    const { files } = JSON.parse(read("package.json")) as { files: string[] };
    expect(files.filter((path) => "scripts/maintain".startsWith(path))).toEqual([]);
    expect(files).not.toContain("scripts");
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

  it("the server knows no device: what one is and can comes from it as data", () => {
    const wrong = files
      .filter((file) => file.startsWith("server/") && !file.startsWith("server/web/"))
      .flatMap((file) => devicesKnown(text.get(file) ?? "").map((it) => `${file}: ${it}`));
    const backends = imports.filter(
      ({ file, target }) =>
        file.startsWith("server/") &&
        !isRoof(file) &&
        /^device\/(?:null|cpu|trainium)\//.test(target),
    );
    expect([...wrong, ...say(backends)]).toEqual([]);
  });

  it("a device that is known by its class or its name is found", () => {
    expect(devicesKnown('if (device instanceof CpuDevice) createDevice("cpu", {});')).toHaveLength(
      2,
    );
    expect(devicesKnown('settings.device !== "null"')).toHaveLength(1);
    expect(devicesKnown('type: ["null"], one: "trainium: a flag\'s sentence"')).toEqual([]);
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
        target.startsWith("node:") && !NODE_HOMES.some((home) => file.startsWith(home)),
    );
    expect(say(wrong)).toEqual([]);
  });

  it("the engine, the simulated device, models' descriptions and the pages run without Node", () => {
    const next = graphOf(moduleImports.filter(({ typeOnly }) => !typeOnly));
    const chains = files
      .filter((file) => WITHOUT_NODE.test(file))
      .flatMap((file) => chainTo((target) => target.startsWith("node:"), file, next) ?? []);
    expect(chains).toEqual([]);
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

  it("there is no circle among the files and folders of any folder, types included", () => {
    expect(circlesIn(moduleImports)).toEqual([]);
  });

  it("a circle of types alone is found at any depth, and so is a chain to Node through another layer", () => {
    const at = (file: string, target: string): Import => ({ file, target, typeOnly: true });
    expect(
      circlesIn([at("m/a.ts", "m/b.ts"), at("m/b.ts", "m/c.ts"), at("m/c.ts", "m/b.ts")]),
    ).toEqual(["m: b.ts c.ts"]);
    expect(circlesIn([at("s/a/x.ts", "s/b/y.ts"), at("s/b/z.ts", "s/a/w.ts")])).toEqual(["s: a b"]);
    expect(circlesIn([at("s/t/a/x.ts", "s/t/y.ts"), at("s/t/y.ts", "s/t/a/w.ts")])).toEqual([
      "s/t: a y.ts",
    ]);
    expect(
      circlesIn([at("server/web/a.ts", "scripts/b.ts"), at("scripts/b.ts", "server/c.ts")]),
    ).toEqual([]);
    const chain = graphOf([at("engine/a", "models/b"), at("models/b", "node:fs")]);
    expect(chainTo((target) => target.startsWith("node:"), "engine/a", chain)).toBe(
      "engine/a → models/b → node:fs",
    );
  });

  it("no function is longer than 60 lines", () => {
    const long = files.flatMap((file) =>
      longFunctions(text.get(file) ?? "").map(({ line, lines }) => `${file}:${line}: ${lines}`),
    );
    expect(long).toEqual([]);
  });

  it("long functions are found however they are written", () => {
    const body = "  work();\n".repeat(MOST_FUNCTION_LINES + 1);
    const heads = [
      "function one(): void {",
      "export async function two(\n  a: number,\n): Promise<void> {",
      "const three = (a: number): void => {",
      "  #four(a: number): void {",
      "  get five(): number {",
      "export function Six({ parts }: { readonly parts: string }) {",
      "function Seven(parts: {\n  readonly a: number;\n}) {",
      "function Eight(parts: {\n  readonly a: number;\n}): Promise<void> {",
    ];
    for (const head of heads) {
      const indent = /^ */.exec(head)?.[0] ?? "";
      expect(
        longFunctions(`${head}\n${body.replaceAll("  work", `${indent}  work`)}${indent}}\n`),
      ).toHaveLength(1);
    }
    expect(longFunctions(`const TABLE = {\n${body}};\n`)).toEqual([]);
    expect(longFunctions(`class Nine {\n${body}}\n`)).toEqual([]);
  });

  it("no file is longer than 400 lines", () => {
    const long = files.filter((file) => (text.get(file) ?? "").split("\n").length > 401);
    expect(long).toEqual([]);
  });

  it("questions in CONTRIBUTING are answered by files that are there and say what is named", () => {
    const page = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
    const section = page.split("\n## Questions")[1]?.split("\n## ")[0] ?? "";
    const rows = section.split("\n").filter((line) => /^\| .*`/.test(line));
    expect(rows.length).toBeGreaterThan(12);
    const lost = rows.flatMap((row) => {
      const answer = row.split("|").slice(2).join("|");
      const named = [...answer.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
      const paths = named.filter((name) => /^[\w-]+\/[\w./-]*$/.test(name));
      const sources = paths.map((path) => {
        if (!existsSync(join(root, path))) return undefined;
        return path.endsWith("/") ? "" : readFileSync(join(root, path), "utf8");
      });
      const words = row.startsWith("| a") ? [] : named.filter((name) => /^[\w.]+$/.test(name));
      return [
        ...paths.filter((_, at) => sources[at] === undefined),
        ...words.filter((word) => !sources.some((it) => it?.includes(word.split(".")[1] ?? word))),
      ];
    });
    expect(lost).toEqual([]);
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

/** Where a source asks a device what it is: by its class, or by a name ("null" is JSON's as well). */
function devicesKnown(source: string): readonly string[] {
  return (
    source.match(/\binstanceof \w*Device\b|"(?:cpu|trainium)"|\bdevice\w*\W{1,6}"null"/gi) ?? []
  );
}

function graphOf(list: readonly Import[]): ReadonlyMap<string, readonly string[]> {
  const graph = new Map<string, string[]>();
  for (const { file, target } of list) graph.set(file, [...(graph.get(file) ?? []), target]);
  return graph;
}

/** What of a folder's a path is or lies in: a file or a folder; undefined: it lies elsewhere. */
function childOf(folder: string, path: string): string | undefined {
  // The pages stand on commands and server alike: at the top they are a house of their own.
  if (folder === "" && path.startsWith("server/web/")) return "server/web";
  const own = folder === "" ? path : path.slice(folder.length + 1);
  return folder === "" || path.startsWith(`${folder}/`) ? own.split("/", 1)[0] : undefined;
}

/** Files and folders of one folder that reach each other, by the folder; "" is the top. */
function circlesIn(list: readonly Import[]): readonly string[] {
  const folders = new Set([""]);
  for (const { file } of list) {
    for (let at = dirname(file); at !== "."; at = dirname(at)) folders.add(at);
  }
  return [...folders].sort().flatMap((folder) => {
    const between = list.flatMap((its) => {
      const [file, target] = [childOf(folder, its.file), childOf(folder, its.target)];
      const apart = file !== undefined && target !== undefined && file !== target;
      return apart ? [{ ...its, file, target }] : [];
    });
    return knotsIn(graphOf(between)).map((knot) => `${folder}: ${knot.join(" ")}`);
  });
}

/** Nodes that reach each other: each knot of more than one, sorted. */
function knotsIn(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const reach = (from: string): ReadonlySet<string> => {
    const seen = new Set<string>();
    const open = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const next of graph.get(at) ?? []) {
        if (!seen.has(next)) open.push(next);
        seen.add(next);
      }
    }
    return seen;
  };
  const reached = new Map([...graph.keys()].map((node) => [node, reach(node)]));
  const knots = [...reached]
    .filter(([node, its]) => its.has(node))
    .map(([node, its]) => [...its].filter((other) => reached.get(other)?.has(node)).sort());
  return [...new Map(knots.map((knot) => [knot.join(), knot])).values()];
}

/** A shortest chain of imports from `file` to what is looked for. */
function chainTo(
  wanted: (target: string) => boolean,
  file: string,
  graph: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  const paths: string[][] = [[file]];
  const seen = new Set([file]);
  for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
    for (const target of graph.get(path[path.length - 1] ?? "") ?? []) {
      if (wanted(target)) return [...path, target].join(" → ");
      if (!seen.has(target)) paths.push([...path, target]);
      seen.add(target);
    }
  }
  return undefined;
}

/** A line that ends by opening a function's body, in the formatter's way of writing. */
const OPENS_FUNCTION =
  /=> \{$|^\s*(?:export )?(?:async )?function\b.*\{$|^\s*\}?\)(?:: .*)? \{$|^\s*(?!(?:if|for|while|switch|else|do|try|catch|class)\b|\})(?:(?:static|async|get|set|override) )*\*?#?\w+(?:<[^>]*>)?\(.*\)(?:: .*)? \{$/;

/** Functions whose bodies have too many lines: from the line that opens one to the brace at its own indent. */
function longFunctions(source: string): { readonly line: number; readonly lines: number }[] {
  const lines = source.split("\n");
  return lines.flatMap((head, at) => {
    if (!OPENS_FUNCTION.test(head)) return [];
    const end = `${/^ */.exec(head)?.[0] ?? ""}}`;
    const length = lines.slice(at + 1).findIndex((line) => line.startsWith(end));
    return length > MOST_FUNCTION_LINES ? [{ line: at + 1, lines: length }] : [];
  });
}
